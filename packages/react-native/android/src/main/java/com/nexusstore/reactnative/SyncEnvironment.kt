package com.nexusstore.reactnative

import android.content.Context
import android.os.Bundle
import android.os.Handler
import android.os.Looper
import expo.modules.interfaces.taskManager.TaskServiceProviderHelper

/** What a worker finds of the app, also in a process that was started for it. */
internal class SyncEnvironment(context: Context) {
  val now: () -> Long = System::currentTimeMillis
  val log: RunLog = RunLog(PreferencesLogStore(context))
  val host: RunHost = TaskManagerHost(context)
}

internal class PreferencesLogStore(context: Context) : LogStore {
  private val preferences = context.getSharedPreferences("nexus-store.run-log", Context.MODE_PRIVATE)

  override fun read(): String = preferences.getString("records", "") ?: ""

  // At once and not later: the process may be gone in a moment.
  override fun write(text: String) {
    preferences.edit().putString("records", text).commit()
  }
}

/** JavaScript through expo-task-manager, which starts it headless if no process has it. */
private class TaskManagerHost(private val context: Context) : RunHost {
  private val main = Handler(Looper.getMainLooper())

  override fun start(run: RunDetails, onVerdict: (String?) -> Unit) {
    // The task service keeps its events in plain maps: one thread for all workers.
    main.post {
      try {
        val service = TaskServiceProviderHelper.getTaskServiceImpl(context)
        val consumers = service?.getTaskConsumers(context.packageName) ?: emptyList()
        val consumer = consumers.filterIsInstance<SyncTaskConsumer>().firstOrNull()
        if (consumer == null) onVerdict(null) else consumer.execute(bundleOf(run), onVerdict)
      } catch (_: Exception) {
        onVerdict(null)
      }
    }
  }

  override fun stop(runId: String, reason: String) = SyncModule.stop(runId, reason)

  private fun bundleOf(run: RunDetails): Bundle =
    Bundle().apply {
      putString("id", run.id)
      putString("runId", run.runId)
      putInt("attempt", run.attempt)
      putString("reason", if (run.isForced) "forced" else "scheduled")
      putString("appState", SyncModule.appState ?: "headless")
      putDouble("deadline", run.deadline.toDouble())
    }
}
