package com.nexusstore.reactnative

import androidx.work.ExistingPeriodicWorkPolicy
import androidx.work.ExistingWorkPolicy
import androidx.work.WorkInfo
import androidx.work.WorkManager

/**
 * The port's requests on WorkManager's unique work. Calls block until WorkManager has stored what was asked:
 * they belong on a background thread. One at a time, so that what was read still holds when it is changed.
 */
internal class SyncScheduler(
  private val workManager: WorkManager,
  private val now: () -> Long,
  private val supportsExpedited: Boolean,
) {
  @Synchronized
  fun schedule(request: Map<String, Any?>): Map<String, Any?> =
    try {
      scheduleOrThrow(request)
    } catch (error: IllegalArgumentException) {
      refused("schedule/invalid", error)
    } catch (error: Exception) {
      // Whatever else WorkManager throws: a value for the caller, never a lost request.
      refused("schedule/host", error)
    }

  @Synchronized
  fun cancel(id: String): Boolean {
    if (unfinished(id).isEmpty()) return false
    workManager.cancelUniqueWork(id).result.get()
    return true
  }

  @Synchronized
  fun pending(): List<Map<String, Any?>> =
    workManager
      .getWorkInfosByTag(TAG)
      .get()
      .filter { !it.state.isFinished }
      .groupBy { requestIdOf(it) ?: "" }
      .filterKeys { it.isNotEmpty() }
      .map { (id, infos) -> described(id, infos.minByOrNull { rank(it.state) }!!) }

  /** Runs an id now, beside its own request. For development builds. */
  @Synchronized
  fun force(id: String): Boolean {
    workManager.enqueueUniqueWork("$id.forced", ExistingWorkPolicy.REPLACE, forcedWork(id)).result.get()
    return true
  }

  private fun scheduleOrThrow(request: Map<String, Any?>): Map<String, Any?> {
    val id = request.text("id") ?: ""
    val infos = if (id.isEmpty()) emptyList() else unfinished(id)
    // What an update changes: the work appended behind a run, if there is one already.
    val existing = infos.minByOrNull { -rank(it.state) }
    val policy = request.text("existing") ?: "update"
    val isUpdate = existing != null && policy == "update"
    val isAppend = isUpdate && existing!!.state == WorkInfo.State.RUNNING && existing.periodicityInfo == null
    val enqueuedAt = if (isUpdate && !isAppend) enqueuedAtOf(existing!!) ?: now() else now()
    val mapping = mapRequest(request, enqueuedAt, supportsExpedited)
    if (mapping is Mapping.Refused) return refusal("schedule/invalid", mapping.message)
    val (mapped, weakened) = mapping as Mapping.Accepted
    if (existing != null && policy == "keep") return accepted("kept", emptyList())
    if (existing != null && isUpdate) {
      updateRefusalOf(existing.periodicityInfo != null, mapped.isPeriodic)?.let {
        return refusal("schedule/invalid", it)
      }
      // WorkManager alone would forget an update of a running one-off when the run succeeds.
      if (isAppend) {
        enqueue(id, mapped, enqueuedAt, ExistingWorkPolicy.APPEND_OR_REPLACE)
        return accepted("updated-next-run", weakened)
      }
      val isBehindRun = infos.any { it.state == WorkInfo.State.RUNNING }
      update(id, mapped, enqueuedAt, existing, isBehindRun)?.let { effect ->
        return accepted(effect, weakened + lostFloor(request, id, effect))
      }
      // It finished between two looks: asked for anew.
    }
    enqueue(id, mapped, now(), ExistingWorkPolicy.REPLACE)
    return accepted(if (existing != null && !isUpdate) "replaced" else "added", weakened)
  }

  private fun enqueue(id: String, mapped: MappedRequest, enqueuedAt: Long, policy: ExistingWorkPolicy) {
    val operation =
      if (mapped.isPeriodic) {
        val replace = ExistingPeriodicWorkPolicy.CANCEL_AND_REENQUEUE
        workManager.enqueueUniquePeriodicWork(id, replace, periodicWork(id, mapped, enqueuedAt))
      } else {
        workManager.enqueueUniqueWork(id, policy, oneTimeWork(id, mapped, enqueuedAt))
      }
    operation.result.get()
  }

  /** The port's word for what WorkManager did; null if there was nothing left to update. */
  private fun update(
    id: String,
    mapped: MappedRequest,
    enqueuedAt: Long,
    existing: WorkInfo,
    isBehindRun: Boolean,
  ): String? {
    val work =
      if (mapped.isPeriodic) periodicWork(id, mapped, enqueuedAt, existing.id)
      else oneTimeWork(id, mapped, enqueuedAt, existing.id)
    return when (workManager.updateWork(work).get()) {
      WorkManager.UpdateResult.APPLIED_IMMEDIATELY -> if (isBehindRun) "updated-next-run" else "updated-now"
      WorkManager.UpdateResult.APPLIED_FOR_NEXT_RUN -> "updated-next-run"
      else -> null
    }
  }

  /** An earliest begin that an update cannot keep, because backoff or a period decides the next run. */
  private fun lostFloor(request: Map<String, Any?>, id: String, effect: String): List<Weakened> {
    val asked = request.millis("earliestBeginAt") ?: return emptyList()
    if (effect != "updated-now") return emptyList()
    val nextAt = unfinished(id).firstOrNull()?.nextScheduleTimeMillis ?: return emptyList()
    return if (nextAt < asked) listOf(Weakened("earliestBeginAt", asked, nextAt)) else emptyList()
  }

  private fun unfinished(id: String): List<WorkInfo> =
    workManager.getWorkInfosForUniqueWork(id).get().filter { !it.state.isFinished }

  private fun described(id: String, info: WorkInfo): Map<String, Any?> {
    val isRunning = info.state == WorkInfo.State.RUNNING
    val nextAt = info.nextScheduleTimeMillis
    return mapOf(
      "id" to id,
      "state" to if (isRunning) "running" else "waiting",
      "nextAt" to if (isRunning || nextAt == Long.MAX_VALUE) null else nextAt.toDouble(),
      "attempt" to if (isRunning) info.runAttemptCount else info.runAttemptCount + 1,
    )
  }

  private fun rank(state: WorkInfo.State): Int =
    when (state) {
      WorkInfo.State.RUNNING -> 0
      WorkInfo.State.ENQUEUED -> 1
      else -> 2
    }

  private fun accepted(effect: String, weakened: List<Weakened>): Map<String, Any?> =
    mapOf(
      "ok" to true,
      "effect" to effect,
      "weakened" to weakened.map { mapOf("field" to it.field, "asked" to bridged(it.asked), "got" to bridged(it.got)) },
    )

  private fun refused(code: String, error: Exception): Map<String, Any?> =
    refusal(code, error.message ?: error.javaClass.simpleName)

  private fun refusal(code: String, message: String): Map<String, Any?> =
    mapOf("ok" to false, "code" to code, "message" to message)

  /** The bridge carries instants as doubles. */
  private fun bridged(value: Any?): Any? = if (value is Long) value.toDouble() else value
}

/** True if another request waits behind the run of this id. */
internal fun hasSuccessor(workManager: WorkManager, id: String): Boolean =
  workManager.getWorkInfosForUniqueWork(id).get().any { it.state == WorkInfo.State.BLOCKED }
