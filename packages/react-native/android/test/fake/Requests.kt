// A fake of androidx.work 2.12: requests as data. Names and clamping as in the real library.
package androidx.work

import java.util.UUID
import java.util.concurrent.TimeUnit

enum class NetworkType { NOT_REQUIRED, CONNECTED, UNMETERED, NOT_ROAMING, METERED }

enum class BackoffPolicy { EXPONENTIAL, LINEAR }

enum class OutOfQuotaPolicy { RUN_AS_NON_EXPEDITED_WORK_REQUEST, DROP_WORK_REQUEST }

enum class ExistingWorkPolicy { REPLACE, KEEP, APPEND, APPEND_OR_REPLACE }

enum class ExistingPeriodicWorkPolicy { KEEP, UPDATE, CANCEL_AND_REENQUEUE }

data class Constraints(
  val requiredNetworkType: NetworkType = NetworkType.NOT_REQUIRED,
  val charging: Boolean = false,
  val batteryNotLow: Boolean = false,
  val storageNotLow: Boolean = false,
  val deviceIdle: Boolean = false,
) {
  class Builder {
    private var built = Constraints()

    fun setRequiredNetworkType(type: NetworkType) = apply { built = built.copy(requiredNetworkType = type) }

    fun setRequiresCharging(value: Boolean) = apply { built = built.copy(charging = value) }

    fun setRequiresBatteryNotLow(value: Boolean) = apply { built = built.copy(batteryNotLow = value) }

    fun setRequiresStorageNotLow(value: Boolean) = apply { built = built.copy(storageNotLow = value) }

    fun setRequiresDeviceIdle(value: Boolean) = apply { built = built.copy(deviceIdle = value) }

    fun build() = built
  }
}

class Data(private val values: Map<String, Any?>) {
  fun getString(key: String): String? = values[key] as? String

  fun getBoolean(key: String, default: Boolean): Boolean = values[key] as? Boolean ?: default

  class Builder {
    private val values = mutableMapOf<String, Any?>()

    fun putString(key: String, value: String?) = apply { values[key] = value }

    fun putBoolean(key: String, value: Boolean) = apply { values[key] = value }

    fun build() = Data(values.toMap())
  }
}

/** WorkSpec, as far as it matters here. */
data class Spec(
  val constraints: Constraints = Constraints(),
  val initialDelayMs: Long = 0,
  val intervalMs: Long = 0,
  val flexMs: Long = 0,
  val backoffPolicy: BackoffPolicy = BackoffPolicy.EXPONENTIAL,
  val backoffMs: Long = 30_000,
  val backoffWasSet: Boolean = false,
  val outOfQuota: OutOfQuotaPolicy? = null,
)

abstract class WorkRequest(val id: UUID, val spec: Spec, val input: Data, val tags: Set<String>) {
  abstract class Builder<B : Builder<B, W>, W : WorkRequest> {
    protected var id: UUID = UUID.randomUUID()
    protected var spec = Spec()
    protected var input = Data(emptyMap())
    protected val tags = mutableSetOf<String>()

    @Suppress("UNCHECKED_CAST") private fun self() = this as B

    fun setConstraints(constraints: Constraints): B {
      spec = spec.copy(constraints = constraints)
      return self()
    }

    fun setInputData(data: Data): B {
      input = data
      return self()
    }

    fun addTag(tag: String): B {
      tags += tag
      return self()
    }

    fun setId(value: UUID): B {
      id = value
      return self()
    }

    fun setInitialDelay(value: Long, unit: TimeUnit): B {
      spec = spec.copy(initialDelayMs = unit.toMillis(value))
      return self()
    }

    fun setBackoffCriteria(policy: BackoffPolicy, delay: Long, unit: TimeUnit): B {
      spec =
        spec.copy(
          backoffPolicy = policy,
          backoffMs = unit.toMillis(delay).coerceIn(10_000, 18_000_000),
          backoffWasSet = true,
        )
      return self()
    }

    fun setExpedited(policy: OutOfQuotaPolicy): B {
      spec = spec.copy(outOfQuota = policy)
      return self()
    }

    protected fun checked(): Spec {
      val (constraints) = spec
      if (spec.backoffWasSet && constraints.deviceIdle)
        throw IllegalArgumentException("Cannot set backoff criteria on an idle mode job")
      if (spec.outOfQuota != null) {
        if (constraints.charging || constraints.batteryNotLow || constraints.deviceIdle)
          throw IllegalArgumentException("Expedited jobs only support network and storage constraints")
        if (spec.initialDelayMs > 0) throw IllegalArgumentException("Expedited jobs cannot be delayed")
        if (spec.intervalMs > 0) throw IllegalArgumentException("PeriodicWorkRequests cannot be expedited")
      }
      return spec
    }

    abstract fun build(): W
  }
}

class OneTimeWorkRequest(id: UUID, spec: Spec, input: Data, tags: Set<String>) : WorkRequest(id, spec, input, tags) {
  class Builder(@Suppress("UNUSED_PARAMETER") worker: Class<out ListenableWorker>) :
    WorkRequest.Builder<Builder, OneTimeWorkRequest>() {
    override fun build() = OneTimeWorkRequest(id, checked(), input, tags.toSet())
  }
}

class PeriodicWorkRequest(id: UUID, spec: Spec, input: Data, tags: Set<String>) : WorkRequest(id, spec, input, tags) {
  class Builder(
    @Suppress("UNUSED_PARAMETER") worker: Class<out ListenableWorker>,
    interval: Long,
    unit: TimeUnit,
    flex: Long,
    flexUnit: TimeUnit,
  ) : WorkRequest.Builder<Builder, PeriodicWorkRequest>() {
    init {
      val intervalMs = maxOf(unit.toMillis(interval), 900_000)
      spec = spec.copy(intervalMs = intervalMs, flexMs = flexUnit.toMillis(flex).coerceIn(300_000, intervalMs))
    }

    override fun build() = PeriodicWorkRequest(id, checked(), input, tags.toSet())
  }
}
