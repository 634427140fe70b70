package com.nexusstore.reactnative

// WorkManager's rules for a request, without WorkManager: what is refused, what is clamped, what an app is
// told of it. Pure, so that it runs on any JVM; mapping-cases.json holds it and its TypeScript model to the
// same answers.

internal const val MIN_INTERVAL_MS = 900_000L
internal const val MIN_FLEX_MS = 300_000L
internal const val DEFAULT_BACKOFF_MS = 30_000L
internal const val MIN_BACKOFF_MS = 10_000L
internal const val MAX_BACKOFF_MS = 18_000_000L

/** After so many begun runs that asked for a retry, or died, the host stops asking by itself. */
internal const val MAX_ATTEMPTS = 20

internal data class MappedConstraints(
  val networkType: String,
  val requiresCharging: Boolean,
  val requiresBatteryNotLow: Boolean,
  val requiresStorageNotLow: Boolean,
  val requiresDeviceIdle: Boolean,
)

/** A request as WorkManager will take it. Times in milliseconds; interval and flex are 0 for a one-off. */
internal data class MappedRequest(
  val kind: String,
  val initialDelayMs: Long,
  val intervalMs: Long,
  val flexMs: Long,
  val constraints: MappedConstraints,
  val backoffPolicy: String,
  val backoffDelayMs: Long,
  val isExpedited: Boolean,
) {
  val isPeriodic: Boolean get() = kind == "periodic"
}

/** A field of which the host gives less than was asked. */
internal data class Weakened(val field: String, val asked: Any?, val got: Any?)

internal sealed class Mapping {
  data class Accepted(val request: MappedRequest, val weakened: List<Weakened>) : Mapping()

  data class Refused(val message: String) : Mapping()
}

/**
 * @param request as it comes over the bridge: numbers are doubles, absent fields are missing or null
 * @param countedFrom the instant from which WorkManager counts the initial delay: now, or the first enqueue
 *   of the work that this request updates
 * @param supportsExpedited false below Android 12, where expedited work would need a foreground service
 */
internal fun mapRequest(request: Map<String, Any?>, countedFrom: Long, supportsExpedited: Boolean): Mapping {
  refusalOf(request)?.let { return Mapping.Refused(it) }
  val weakened = mutableListOf<Weakened>()
  fun <T> give(field: String, asked: T, got: T): T {
    if (asked != got) weakened += Weakened(field, asked, got)
    return got
  }

  val kind = request.text("kind") ?: "once"
  var intervalMs = 0L
  var flexMs = 0L
  if (kind == "periodic") {
    val askedIntervalMs = request.millis("intervalMs") ?: 0
    intervalMs = give("intervalMs", askedIntervalMs, maxOf(askedIntervalMs, MIN_INTERVAL_MS))
    val askedFlexMs = request.millis("flexMs") ?: intervalMs
    flexMs = give("flexMs", askedFlexMs, minOf(maxOf(askedFlexMs, MIN_FLEX_MS), intervalMs))
  }
  val backoff = request.map("backoff")
  val askedBackoffMs = backoff.millis("initialMs") ?: DEFAULT_BACKOFF_MS
  val backoffMs = give("backoff.initialMs", askedBackoffMs, askedBackoffMs.coerceIn(MIN_BACKOFF_MS, MAX_BACKOFF_MS))
  val isAskedExpedited = request.flag("expedited")
  val isExpedited = give("expedited", isAskedExpedited, isAskedExpedited && supportsExpedited)
  val mapped =
    MappedRequest(
      kind,
      maxOf(0, (request.millis("earliestBeginAt") ?: countedFrom) - countedFrom),
      intervalMs,
      flexMs,
      constraintsOf(request),
      backoff.text("policy") ?: "exponential",
      backoffMs,
      isExpedited,
    )
  return Mapping.Accepted(mapped, weakened)
}

private fun constraintsOf(request: Map<String, Any?>): MappedConstraints {
  val asked = request.map("constraints")
  return MappedConstraints(
    asked.text("networkType") ?: "not-required",
    asked.flag("requiresCharging"),
    asked.flag("requiresBatteryNotLow"),
    asked.flag("requiresStorageNotLow"),
    asked.flag("requiresDeviceIdle"),
  )
}

/** Why `WorkRequest.Builder.build` would throw, or nobody could do it; null if the request is in order. */
internal fun refusalOf(request: Map<String, Any?>): String? =
  contradictionOf(request) ?: expeditedRefusalOf(request) ?: idleRefusalOf(request)

private fun contradictionOf(request: Map<String, Any?>): String? {
  if (request.text("id").isNullOrEmpty()) return "id must not be empty"
  val durations =
    listOf(
      "earliestBeginAt" to request["earliestBeginAt"],
      "intervalMs" to request["intervalMs"],
      "flexMs" to request["flexMs"],
      "backoff.initialMs" to request.map("backoff")["initialMs"],
    )
  for ((field, value) in durations) {
    if (value == null) continue
    val number = (value as? Number)?.toDouble()
    if (number == null || number.isNaN() || number.isInfinite() || number < 0) {
      return "$field must be a finite number, not ${shown(value)}"
    }
  }
  if (request.text("kind") == "periodic") {
    return if (request["intervalMs"] == null) "periodic work needs intervalMs" else null
  }
  if (request["intervalMs"] != null) return "a one-off has no intervalMs"
  return if (request["flexMs"] != null) "a one-off has no flexMs" else null
}

private fun expeditedRefusalOf(request: Map<String, Any?>): String? {
  if (!request.flag("expedited")) return null
  if (request.text("kind") == "periodic") return "PeriodicWorkRequests cannot be expedited"
  val constraints = constraintsOf(request)
  if (constraints.requiresCharging || constraints.requiresBatteryNotLow || constraints.requiresDeviceIdle) {
    return "Expedited jobs only support network and storage constraints"
  }
  return if (request["earliestBeginAt"] != null) "Expedited jobs cannot be delayed" else null
}

private fun idleRefusalOf(request: Map<String, Any?>): String? {
  val isRefused = constraintsOf(request).requiresDeviceIdle && request["backoff"] != null
  return if (isRefused) "Cannot set backoff criteria on an idle mode job" else null
}

/** WorkerUpdater throws for this; here it is refused before. */
internal fun updateRefusalOf(isPeriodicNow: Boolean, willBePeriodic: Boolean): String? {
  if (isPeriodicNow == willBePeriodic) return null
  fun name(isPeriodic: Boolean) = if (isPeriodic) "PeriodicWorkRequest" else "OneTimeWorkRequest"
  return "Can't update ${name(isPeriodicNow)} Worker to ${name(willBePeriodic)}. " +
    "Update operation must preserve worker's type."
}

/**
 * What JavaScript's verdict becomes. Nothing, or something unknown, is a run that died before it could
 * decide. Attempts are capped: a run that never gets anywhere must not be begun for ever.
 *
 * @param hasSuccessor another request waits behind this run; WorkManager would fail it with a failed one
 */
internal fun hostResult(verdict: String?, attempt: Int, hasSuccessor: Boolean): String {
  val result = if (verdict == "success" || verdict == "failure") verdict else "retry"
  val capped = if (result == "retry" && attempt >= MAX_ATTEMPTS) "failure" else result
  return if (capped == "failure" && hasSuccessor) "success" else capped
}

internal fun Map<String, Any?>.text(key: String): String? = this[key] as? String

internal fun Map<String, Any?>.flag(key: String): Boolean = this[key] == true

internal fun Map<String, Any?>.millis(key: String): Long? = (this[key] as? Number)?.toLong()

@Suppress("UNCHECKED_CAST")
internal fun Map<String, Any?>.map(key: String): Map<String, Any?> = this[key] as? Map<String, Any?> ?: emptyMap()

/** As JavaScript prints it. */
private fun shown(value: Any): String {
  val number = (value as? Number)?.toDouble() ?: return value.toString()
  return if (number == Math.rint(number) && Math.abs(number) < 1e15) number.toLong().toString() else number.toString()
}
