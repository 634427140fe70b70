package com.nexusstore.reactnative

import androidx.work.NetworkType
import androidx.work.OutOfQuotaPolicy
import androidx.work.WorkInfo

@Suppress("UNCHECKED_CAST")
internal fun mappingTests(suite: Suite, cases: Map<String, Any?>) {
  fun list(key: String) = cases[key] as List<Map<String, Any?>>

  for (case in list("requests")) {
    val request = case.map("request")
    val countedFrom = case.millis("countedFrom")!!
    suite.test("maps ${case["name"]}") {
      expectEqual(described(mapRequest(request, countedFrom, true)), expected(case.map("android")))
    }
    suite.test("maps ${case["name"]} below Android 12") {
      val wanted = case["androidBelow12"] ?: case["android"]
      expectEqual(described(mapRequest(request, countedFrom, false)), expected(wanted as Map<String, Any?>))
    }
    suite.test("WorkManager's builder takes what is mapped, and nothing else: ${case["name"]}") {
      val mapping = mapRequest(request, countedFrom, true)
      if (mapping is Mapping.Accepted) expectBuilt(mapping.request)
    }
  }
  for (case in list("updates")) {
    suite.test("an update of ${case["from"]} to ${case["to"]}") {
      expectEqual(updateRefusalOf(case["from"] == "periodic", case["to"] == "periodic"), case["refused"])
    }
  }
  for (case in list("hostResults")) {
    suite.test("a verdict becomes a result: $case") {
      val attempt = (case["attempt"] as Double).toInt()
      expectEqual(hostResult(case.text("verdict"), attempt, case.flag("hasSuccessor")), case["result"])
    }
  }
  for ((name, reason) in cases.map("androidStopReasons")) {
    suite.test("the stop reason $name") {
      val constant = WorkInfo::class.java.getField("STOP_REASON_$name").getInt(null)
      expectEqual(stopReasonOf(constant), reason)
    }
  }
  suite.test("a stop reason that is not known yet") { expectEqual(stopReasonOf(99), "unknown") }
  suite.test("numbers that are none") {
    val refused = mapRequest(mapOf("id" to "a", "kind" to "once", "earliestBeginAt" to Double.NaN), 0, true)
    expectEqual(refused, Mapping.Refused("earliestBeginAt must be a finite number, not NaN"))
  }
}

private fun described(mapping: Mapping): Any =
  when (mapping) {
    is Mapping.Refused -> mapping.message
    is Mapping.Accepted ->
      mapping.request to mapping.weakened.map { Triple(it.field, comparable(it.asked), comparable(it.got)) }
  }

@Suppress("UNCHECKED_CAST")
private fun expected(case: Map<String, Any?>): Any {
  case.text("refused")?.let { return it }
  val native = case.map("native")
  val constraints = native.map("constraints")
  val request =
    MappedRequest(
      native.text("kind")!!,
      native.millis("initialDelayMs")!!,
      native.millis("intervalMs")!!,
      native.millis("flexMs")!!,
      MappedConstraints(
        constraints.text("networkType")!!,
        constraints.flag("requiresCharging"),
        constraints.flag("requiresBatteryNotLow"),
        constraints.flag("requiresStorageNotLow"),
        constraints.flag("requiresDeviceIdle"),
      ),
      native.text("backoffPolicy")!!,
      native.millis("backoffDelayMs")!!,
      native.flag("isExpedited"),
    )
  val weakened = case["weakened"] as List<Map<String, Any?>>
  return request to weakened.map { Triple(it["field"], comparable(it["asked"]), comparable(it["got"])) }
}

private fun comparable(value: Any?): Any? = if (value is Number) value.toDouble() else value

private fun expectBuilt(request: MappedRequest) {
  val work = if (request.isPeriodic) periodicWork("a", request, 7) else oneTimeWork("a", request, 7)
  val spec = work.spec
  expectEqual(spec.initialDelayMs, request.initialDelayMs)
  expectEqual(spec.intervalMs to spec.flexMs, request.intervalMs to request.flexMs)
  expectEqual(spec.constraints.requiredNetworkType, NetworkType.valueOf(request.constraints.networkType.uppercase().replace('-', '_')))
  expectEqual(spec.constraints.charging, request.constraints.requiresCharging)
  expectEqual(spec.constraints.batteryNotLow, request.constraints.requiresBatteryNotLow)
  expectEqual(spec.constraints.storageNotLow, request.constraints.requiresStorageNotLow)
  expectEqual(spec.constraints.deviceIdle, request.constraints.requiresDeviceIdle)
  expectEqual(spec.backoffMs, request.backoffDelayMs)
  val policy = if (request.isExpedited) OutOfQuotaPolicy.RUN_AS_NON_EXPEDITED_WORK_REQUEST else null
  expectEqual(spec.outOfQuota, policy)
  expectEqual(work.input.getString(INPUT_ID), "a")
  expectEqual(work.tags, setOf("nexus-store", "nexus-store.id:a", "nexus-store.enqueued-at:7"))
}
