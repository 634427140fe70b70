package com.nexusstore.reactnative

import androidx.work.BackoffPolicy
import androidx.work.Constraints
import androidx.work.Data
import androidx.work.NetworkType
import androidx.work.OneTimeWorkRequest
import androidx.work.OutOfQuotaPolicy
import androidx.work.PeriodicWorkRequest
import androidx.work.WorkInfo
import androidx.work.WorkRequest
import java.util.UUID
import java.util.concurrent.TimeUnit

// From a mapped request to WorkManager's own objects, and back from its constants. Nothing is decided here.

/** On all work of ours. */
internal const val TAG = "nexus-store"
private const val ID_TAG = "nexus-store.id:"
private const val ENQUEUED_TAG = "nexus-store.enqueued-at:"
internal const val INPUT_ID = "id"
internal const val INPUT_FORCED = "forced"

/** The id under which the app asked for this work. */
internal fun requestIdOf(info: WorkInfo): String? = tagValue(info, ID_TAG)

/** When the id was first asked for: an update keeps it, and WorkManager counts the initial delay from it. */
internal fun enqueuedAtOf(info: WorkInfo): Long? = tagValue(info, ENQUEUED_TAG)?.toLongOrNull()

private fun tagValue(info: WorkInfo, prefix: String): String? =
  info.tags.firstOrNull { it.startsWith(prefix) }?.removePrefix(prefix)

internal fun oneTimeWork(id: String, request: MappedRequest, enqueuedAt: Long, workId: UUID? = null): OneTimeWorkRequest {
  val builder = OneTimeWorkRequest.Builder(SyncWorker::class.java)
  fill(builder, id, request, enqueuedAt, workId)
  if (request.isExpedited) builder.setExpedited(OutOfQuotaPolicy.RUN_AS_NON_EXPEDITED_WORK_REQUEST)
  return builder.build()
}

internal fun periodicWork(id: String, request: MappedRequest, enqueuedAt: Long, workId: UUID? = null): PeriodicWorkRequest {
  val unit = TimeUnit.MILLISECONDS
  val builder = PeriodicWorkRequest.Builder(SyncWorker::class.java, request.intervalMs, unit, request.flexMs, unit)
  fill(builder, id, request, enqueuedAt, workId)
  return builder.build()
}

/** Work that only development builds ask for: now, whatever the constraints. */
internal fun forcedWork(id: String): OneTimeWorkRequest =
  OneTimeWorkRequest.Builder(SyncWorker::class.java)
    .setInputData(Data.Builder().putString(INPUT_ID, id).putBoolean(INPUT_FORCED, true).build())
    .build()

private fun fill(
  builder: WorkRequest.Builder<*, *>,
  id: String,
  request: MappedRequest,
  enqueuedAt: Long,
  workId: UUID?,
) {
  builder.setConstraints(constraintsOf(request.constraints))
  builder.setInputData(Data.Builder().putString(INPUT_ID, id).build())
  builder.addTag(TAG)
  builder.addTag(ID_TAG + id)
  builder.addTag(ENQUEUED_TAG + enqueuedAt)
  if (request.initialDelayMs > 0) builder.setInitialDelay(request.initialDelayMs, TimeUnit.MILLISECONDS)
  // "Cannot set backoff criteria on an idle mode job": idle work has WorkManager's default.
  if (!request.constraints.requiresDeviceIdle) {
    val policy = if (request.backoffPolicy == "linear") BackoffPolicy.LINEAR else BackoffPolicy.EXPONENTIAL
    builder.setBackoffCriteria(policy, request.backoffDelayMs, TimeUnit.MILLISECONDS)
  }
  if (workId != null) builder.setId(workId)
}

private fun constraintsOf(mapped: MappedConstraints): Constraints =
  Constraints.Builder()
    .setRequiredNetworkType(networkTypeOf(mapped.networkType))
    .setRequiresCharging(mapped.requiresCharging)
    .setRequiresBatteryNotLow(mapped.requiresBatteryNotLow)
    .setRequiresStorageNotLow(mapped.requiresStorageNotLow)
    .setRequiresDeviceIdle(mapped.requiresDeviceIdle)
    .build()

internal fun networkTypeOf(name: String): NetworkType =
  when (name) {
    "not-required" -> NetworkType.NOT_REQUIRED
    "connected" -> NetworkType.CONNECTED
    "unmetered" -> NetworkType.UNMETERED
    "not-roaming" -> NetworkType.NOT_ROAMING
    "metered" -> NetworkType.METERED
    else -> throw IllegalArgumentException("$name is not a network type")
  }

/** The port's word for a stop reason. By named constant: numbers have been mixed up before. */
internal fun stopReasonOf(code: Int): String =
  when (code) {
    WorkInfo.STOP_REASON_CANCELLED_BY_APP -> "cancelled"
    WorkInfo.STOP_REASON_PREEMPT -> "preempted"
    WorkInfo.STOP_REASON_TIMEOUT,
    WorkInfo.STOP_REASON_FOREGROUND_SERVICE_TIMEOUT -> "timeout"
    WorkInfo.STOP_REASON_CONSTRAINT_BATTERY_NOT_LOW,
    WorkInfo.STOP_REASON_CONSTRAINT_CHARGING,
    WorkInfo.STOP_REASON_CONSTRAINT_CONNECTIVITY,
    WorkInfo.STOP_REASON_CONSTRAINT_DEVICE_IDLE,
    WorkInfo.STOP_REASON_CONSTRAINT_STORAGE_NOT_LOW -> "constraint"
    WorkInfo.STOP_REASON_QUOTA,
    WorkInfo.STOP_REASON_APP_STANDBY -> "quota"
    WorkInfo.STOP_REASON_BACKGROUND_RESTRICTION,
    WorkInfo.STOP_REASON_USER -> "user"
    WorkInfo.STOP_REASON_DEVICE_STATE,
    WorkInfo.STOP_REASON_SYSTEM_PROCESSING,
    WorkInfo.STOP_REASON_ESTIMATED_APP_LAUNCH_TIME_CHANGED -> "system"
    else -> "unknown"
  }
