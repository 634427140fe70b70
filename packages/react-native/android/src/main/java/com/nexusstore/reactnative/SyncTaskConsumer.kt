package com.nexusstore.reactnative

import android.content.Context
import android.os.Bundle
import expo.modules.interfaces.taskManager.TaskConsumer
import expo.modules.interfaces.taskManager.TaskInterface
import expo.modules.interfaces.taskManager.TaskManagerUtilsInterface

/** The task's native end. expo-task-manager makes it anew in every process, by class name. */
internal class SyncTaskConsumer(context: Context?, utilities: TaskManagerUtilsInterface?) :
  TaskConsumer(context, utilities) {
  private var task: TaskInterface? = null

  override fun taskType(): String = "nexus-store"

  override fun didRegister(task: TaskInterface) {
    this.task = task
  }

  override fun didUnregister() {
    task = null
  }

  /** JavaScript answers `{ runId, result }`; a task that threw or was not defined answers null. */
  fun execute(data: Bundle, onVerdict: (String?) -> Unit) {
    val task = task ?: return onVerdict(null)
    taskManagerUtils.executeTask(task, data) { response ->
      val answer = response?.get("result") as? Map<*, *>
      onVerdict(answer?.get("result") as? String)
    }
  }
}
