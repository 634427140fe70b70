// A fake of androidx.work 2.12: the database of unique work, without a scheduler. Tests move states by hand.
package androidx.work

import android.content.Context
import com.google.common.util.concurrent.ListenableFuture
import java.util.UUID

class WorkInfo(
  val id: UUID,
  val state: State,
  val tags: Set<String>,
  val runAttemptCount: Int,
  val generation: Int,
  val nextScheduleTimeMillis: Long,
  val periodicityInfo: PeriodicityInfo?,
) {
  class PeriodicityInfo(val repeatIntervalMillis: Long, val flexIntervalMillis: Long)

  enum class State {
    ENQUEUED,
    RUNNING,
    SUCCEEDED,
    FAILED,
    BLOCKED,
    CANCELLED;

    val isFinished: Boolean
      get() = this == SUCCEEDED || this == FAILED || this == CANCELLED
  }

  companion object {
    const val STOP_REASON_NOT_STOPPED = -256
    const val STOP_REASON_UNKNOWN = -512
    const val STOP_REASON_FOREGROUND_SERVICE_TIMEOUT = -128
    const val STOP_REASON_CANCELLED_BY_APP = 1
    const val STOP_REASON_PREEMPT = 2
    const val STOP_REASON_TIMEOUT = 3
    const val STOP_REASON_DEVICE_STATE = 4
    const val STOP_REASON_CONSTRAINT_BATTERY_NOT_LOW = 5
    const val STOP_REASON_CONSTRAINT_CHARGING = 6
    const val STOP_REASON_CONSTRAINT_CONNECTIVITY = 7
    const val STOP_REASON_CONSTRAINT_DEVICE_IDLE = 8
    const val STOP_REASON_CONSTRAINT_STORAGE_NOT_LOW = 9
    const val STOP_REASON_QUOTA = 10
    const val STOP_REASON_BACKGROUND_RESTRICTION = 11
    const val STOP_REASON_APP_STANDBY = 12
    const val STOP_REASON_USER = 13
    const val STOP_REASON_SYSTEM_PROCESSING = 14
    const val STOP_REASON_ESTIMATED_APP_LAUNCH_TIME_CHANGED = 15
  }
}

class Operation {
  object Done

  val result: ListenableFuture<Done> = answered(Done)
}

/** One row. */
class Work(val name: String, var request: WorkRequest, var state: WorkInfo.State, var enqueuedAt: Long) {
  var attempts = 0
  var generation = 0
  var failure: RuntimeException? = null
}

class WorkManager {
  val works = mutableListOf<Work>()
  var now = 0L
  /** Thrown by the next call that writes. */
  var nextFailure: RuntimeException? = null

  enum class UpdateResult { NOT_APPLIED, APPLIED_IMMEDIATELY, APPLIED_FOR_NEXT_RUN }

  fun enqueueUniqueWork(name: String, policy: ExistingWorkPolicy, request: OneTimeWorkRequest): Operation {
    fail()
    val active = works.filter { it.name == name && !it.state.isFinished }
    when (policy) {
      ExistingWorkPolicy.KEEP -> if (active.isNotEmpty()) return Operation()
      ExistingWorkPolicy.REPLACE -> works.removeAll { it.name == name }
      else -> works.removeAll { it.name == name && it.state.isFinished }
    }
    val isBehind = policy == ExistingWorkPolicy.APPEND_OR_REPLACE && active.isNotEmpty()
    val state = if (isBehind) WorkInfo.State.BLOCKED else WorkInfo.State.ENQUEUED
    works += Work(name, request, state, now)
    return Operation()
  }

  fun enqueueUniquePeriodicWork(name: String, policy: ExistingPeriodicWorkPolicy, request: PeriodicWorkRequest): Operation {
    fail()
    check(policy == ExistingPeriodicWorkPolicy.CANCEL_AND_REENQUEUE) { "not faked" }
    works.removeAll { it.name == name }
    works += Work(name, request, WorkInfo.State.ENQUEUED, now)
    return Operation()
  }

  fun updateWork(request: WorkRequest): ListenableFuture<UpdateResult> {
    fail()
    val work = works.firstOrNull { it.request.id == request.id }
    if (work == null || work.state.isFinished) return answered(UpdateResult.NOT_APPLIED)
    if (work.request::class != request::class) throw UnsupportedOperationException("kinds differ")
    work.request = request
    work.generation++
    val isRunning = work.state == WorkInfo.State.RUNNING
    return answered(if (isRunning) UpdateResult.APPLIED_FOR_NEXT_RUN else UpdateResult.APPLIED_IMMEDIATELY)
  }

  fun cancelUniqueWork(name: String): Operation {
    fail()
    works.filter { it.name == name && !it.state.isFinished }.forEach { it.state = WorkInfo.State.CANCELLED }
    return Operation()
  }

  fun getWorkInfosForUniqueWork(name: String): ListenableFuture<List<WorkInfo>> =
    answered(works.filter { it.name == name }.map(::infoOf))

  fun getWorkInfosByTag(tag: String): ListenableFuture<List<WorkInfo>> =
    answered(works.filter { tag in it.request.tags }.map(::infoOf))

  private fun fail() {
    nextFailure?.let {
      nextFailure = null
      throw it
    }
  }

  private fun infoOf(work: Work): WorkInfo {
    val spec = work.request.spec
    val waitMs = if (work.attempts > 0) spec.backoffMs else spec.initialDelayMs
    val nextAt = if (work.state == WorkInfo.State.ENQUEUED) work.enqueuedAt + waitMs else Long.MAX_VALUE
    val periodicity = if (spec.intervalMs > 0) WorkInfo.PeriodicityInfo(spec.intervalMs, spec.flexMs) else null
    return WorkInfo(work.request.id, work.state, work.request.tags, work.attempts, work.generation, nextAt, periodicity)
  }

  companion object {
    var instance = WorkManager()

    fun getInstance(@Suppress("UNUSED_PARAMETER") context: Context): WorkManager = instance
  }
}

private fun <T> answered(value: T): ListenableFuture<T> =
  object : ListenableFuture<T> {
    override fun get(): T = value
  }
