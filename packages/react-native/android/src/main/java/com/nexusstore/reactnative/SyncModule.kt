package com.nexusstore.reactnative

import android.content.Context
import android.net.ConnectivityManager
import android.net.Network
import android.os.Build
import androidx.work.WorkManager
import com.facebook.react.common.build.ReactBuildConfig
import expo.modules.interfaces.taskManager.TaskManagerInterface
import expo.modules.kotlin.exception.CodedException
import expo.modules.kotlin.modules.Module
import expo.modules.kotlin.modules.ModuleDefinition
import expo.modules.kotlin.modules.ModuleDefinitionData
import java.util.Collections
import java.util.WeakHashMap

/** The name under which JavaScript defines the task and this module registers it. */
internal const val TASK_NAME = "nexus-store.background-sync"
private const val ON_STOP = "onStop"
private const val ON_DEVICE_CHANGE = "onDeviceChange"

class SyncModule : Module() {
  private val context: Context
    get() = appContext.applicationContext

  private val scheduler by lazy {
    SyncScheduler(WorkManager.getInstance(context), System::currentTimeMillis, supportsExpedited)
  }

  private var networkCallback: ConnectivityManager.NetworkCallback? = null

  override fun definition(): ModuleDefinitionData = ModuleDefinition {
    Name("NexusStoreBackgroundSync")

    Events(ON_STOP, ON_DEVICE_CHANGE)

    Constants("platform" to "android", "supportsExpedited" to supportsExpedited)

    AsyncFunction("schedule") { request: Map<String, Any?> ->
      registerTask()
      scheduler.schedule(request)
    }

    AsyncFunction("cancel") { id: String -> scheduler.cancel(id) }

    AsyncFunction("pending") { -> scheduler.pending() }

    AsyncFunction("deviceFacts") { -> deviceFacts(context, appState) }

    AsyncFunction("runLog") { -> RunLog(PreferencesLogStore(context)).records().map(::bridged) }

    AsyncFunction("forceRun") { id: String ->
      if (!ReactBuildConfig.DEBUG) throw CodedException("runs are forced in development builds only")
      registerTask()
      scheduler.force(id)
    }

    OnCreate { instances.add(this@SyncModule) }

    OnDestroy {
      instances.remove(this@SyncModule)
      stopWatchingNetwork()
    }

    OnStartObserving(ON_DEVICE_CHANGE) { watchNetwork() }

    OnStopObserving(ON_DEVICE_CHANGE) { stopWatchingNetwork() }

    OnActivityEntersForeground { moveTo("foreground") }

    OnActivityEntersBackground { moveTo("background") }
  }

  /** Kept by expo-task-manager beyond the process; a task that JavaScript did not define was dropped by it. */
  private fun registerTask() {
    val manager = appContext.legacyModule<TaskManagerInterface>() ?: throw CodedException("expo-task-manager is not installed")
    if (manager.taskHasConsumerOfClass(TASK_NAME, SyncTaskConsumer::class.java)) return
    manager.registerTask(TASK_NAME, SyncTaskConsumer::class.java, emptyMap())
  }

  private fun moveTo(state: String) {
    appState = state
    sendEvent(ON_DEVICE_CHANGE, emptyMap<String, Any?>())
  }

  private fun watchNetwork() {
    if (networkCallback != null) return
    val callback =
      object : ConnectivityManager.NetworkCallback() {
        override fun onAvailable(network: Network) = changed()

        override fun onLost(network: Network) = changed()

        private fun changed() = sendEvent(ON_DEVICE_CHANGE, emptyMap<String, Any?>())
      }
    try {
      connectivity()?.registerDefaultNetworkCallback(callback)
      networkCallback = callback
    } catch (_: RuntimeException) {
      // Too many callbacks, or no permission: changes of the network are not told then.
    }
  }

  private fun stopWatchingNetwork() {
    networkCallback?.let { connectivity()?.unregisterNetworkCallback(it) }
    networkCallback = null
  }

  private fun connectivity(): ConnectivityManager? =
    context.getSystemService(Context.CONNECTIVITY_SERVICE) as? ConnectivityManager

  internal companion object {
    private val instances: MutableSet<SyncModule> =
      Collections.synchronizedSet(Collections.newSetFromMap(WeakHashMap()))

    /** Null while no screen of the app was there in this process. */
    @Volatile
    var appState: String? = null
      private set

    /** Below Android 12 expedited work is a foreground service with a notification: never by default. */
    val supportsExpedited: Boolean
      get() = Build.VERSION.SDK_INT >= 31

    fun stop(runId: String, reason: String) {
      for (module in synchronized(instances) { instances.toList() }) {
        module.sendEvent(ON_STOP, mapOf("runId" to runId, "reason" to reason))
      }
    }
  }
}
