package com.nexusstore.reactnative

import android.content.Context
import android.os.Build
import androidx.work.CoroutineWorker
import androidx.work.WorkManager
import androidx.work.WorkerParameters
import java.util.UUID

/** What WorkManager runs. Decides nothing: JavaScript's verdict becomes the result. */
internal class SyncWorker(context: Context, parameters: WorkerParameters) : CoroutineWorker(context, parameters) {
  override suspend fun doWork(): Result {
    val id = inputData.getString(INPUT_ID) ?: return Result.failure()
    val isForced = inputData.getBoolean(INPUT_FORCED, false)
    val attempt = runAttemptCount + 1
    val environment = SyncEnvironment(applicationContext)
    val startedAt = environment.now()
    val run = RunDetails(id, UUID.randomUUID().toString(), attempt, isForced, startedAt + RUN_LIMIT_MS)
    val life = RunLife(environment.host, environment.log, environment.now)
    val verdict = life.run(run) { if (Build.VERSION.SDK_INT >= 31) stopReasonOf(stopReason) else "unknown" }
    if (isForced) return Result.success()
    val hasSuccessor = hasSuccessor(WorkManager.getInstance(applicationContext), id)
    return when (hostResult(verdict, attempt, hasSuccessor)) {
      "success" -> Result.success()
      "failure" -> Result.failure()
      else -> Result.retry()
    }
  }
}
