package androidx.work

import android.content.Context

class WorkerParameters(val input: Data, val runAttemptCount: Int)

abstract class ListenableWorker(val applicationContext: Context, private val parameters: WorkerParameters) {
  val inputData: Data
    get() = parameters.input

  val runAttemptCount: Int
    get() = parameters.runAttemptCount

  /** As the system sets it before it cancels the worker. */
  var stopReason: Int = WorkInfo.STOP_REASON_NOT_STOPPED

  enum class Result {
    SUCCESS,
    RETRY,
    FAILURE;

    companion object {
      fun success() = SUCCESS

      fun retry() = RETRY

      fun failure() = FAILURE
    }
  }
}

abstract class CoroutineWorker(context: Context, parameters: WorkerParameters) : ListenableWorker(context, parameters) {
  abstract suspend fun doWork(): Result
}
