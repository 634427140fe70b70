package com.nexusstore.reactnative

import androidx.work.WorkInfo
import androidx.work.WorkManager

private const val HOUR = 3_600_000.0

private class Phone(supportsExpedited: Boolean = true) {
  val manager = WorkManager().apply { now = 1_000_000 }
  val scheduler = SyncScheduler(manager, { manager.now }, supportsExpedited)

  fun schedule(vararg fields: Pair<String, Any?>): Map<String, Any?> =
    scheduler.schedule(mapOf<String, Any?>("id" to "sync", "kind" to "once") + fields)

  fun states() = manager.works.map { it.state.name }
}

internal fun schedulerTests(suite: Suite) {
  suite.test("a one-off is added once, and is pending") {
    val phone = Phone()
    expectEqual(phone.schedule()["effect"], "added")
    expectEqual(phone.states(), listOf("ENQUEUED"))
    expectEqual(
      phone.scheduler.pending(),
      listOf(mapOf("id" to "sync", "state" to "waiting", "nextAt" to 1_000_000.0, "attempt" to 1)),
    )
  }
  suite.test("keep leaves the old request, also a periodic one") {
    val phone = Phone()
    phone.schedule("earliestBeginAt" to 1_000_000 + HOUR)
    val before = phone.manager.works.single().request
    expectEqual(phone.schedule("existing" to "keep")["effect"], "kept")
    expectEqual(phone.manager.works.single().request === before, true)
  }
  suite.test("replace puts the new request into the place of the old one") {
    val phone = Phone()
    phone.schedule()
    val before = phone.manager.works.single().request.id
    expectEqual(phone.schedule("existing" to "replace")["effect"], "replaced")
    expectEqual(phone.states(), listOf("ENQUEUED"))
    expectEqual(phone.manager.works.single().request.id == before, false)
  }
  suite.test("an update changes the row, raises the generation and counts from the first enqueue") {
    val phone = Phone()
    phone.schedule("earliestBeginAt" to 1_000_000 + 2 * HOUR)
    phone.manager.now += HOUR.toLong()
    expectEqual(phone.schedule("earliestBeginAt" to 1_000_000 + 3 * HOUR)["effect"], "updated-now")
    val work = phone.manager.works.single()
    expectEqual(work.generation, 1)
    expectEqual(work.request.spec.initialDelayMs, (3 * HOUR).toLong())
    expectEqual(phone.scheduler.pending().single()["nextAt"], 1_000_000 + 3 * HOUR)
  }
  suite.test("an update of periodic work keeps its row") {
    val phone = Phone()
    phone.schedule("kind" to "periodic", "intervalMs" to HOUR)
    expectEqual(phone.schedule("kind" to "periodic", "intervalMs" to 24 * HOUR)["effect"], "updated-now")
    expectEqual(phone.manager.works.single().request.spec.intervalMs, (24 * HOUR).toLong())
  }
  suite.test("an update of periodic work that runs counts from the next run") {
    val phone = Phone()
    phone.schedule("kind" to "periodic", "intervalMs" to HOUR)
    phone.manager.works.single().state = WorkInfo.State.RUNNING
    expectEqual(phone.schedule("kind" to "periodic", "intervalMs" to HOUR)["effect"], "updated-next-run")
    expectEqual(phone.states(), listOf("RUNNING"))
  }
  suite.test("an update of a one-off that runs is appended, and a second one updates what was appended") {
    val phone = Phone()
    phone.schedule()
    phone.manager.works.single().state = WorkInfo.State.RUNNING
    expectEqual(phone.schedule()["effect"], "updated-next-run")
    expectEqual(phone.states(), listOf("RUNNING", "BLOCKED"))
    expectEqual(phone.schedule()["effect"], "updated-next-run")
    expectEqual(phone.states(), listOf("RUNNING", "BLOCKED"))
    expectEqual(phone.manager.works.last().generation, 1)
    expectEqual(phone.scheduler.pending().size, 1)
    expectEqual(phone.scheduler.pending().single()["state"], "running")
    expectEqual(hasSuccessor(phone.manager, "sync"), true)
  }
  suite.test("an update of the kind is invalid and changes nothing") {
    val phone = Phone()
    phone.schedule()
    val answer = phone.schedule("kind" to "periodic", "intervalMs" to HOUR)
    expectEqual(answer["code"], "schedule/invalid")
    expectEqual(phone.manager.works.single().generation, 0)
    expectEqual(phone.states(), listOf("ENQUEUED"))
  }
  suite.test("an earliest begin that backoff overrules is declared") {
    val phone = Phone()
    phone.schedule()
    phone.manager.works.single().attempts = 1
    val answer = phone.schedule("earliestBeginAt" to 1_000_000 + HOUR)
    val weakened = listOf(mapOf("field" to "earliestBeginAt", "asked" to 1_000_000 + HOUR, "got" to 1_030_000.0))
    expectEqual(answer["weakened"], weakened)
  }
  suite.test("finished work is not in the way of a new request") {
    val phone = Phone()
    phone.schedule()
    phone.manager.works.single().state = WorkInfo.State.FAILED
    expectEqual(phone.scheduler.pending(), emptyList<Any>())
    expectEqual(phone.schedule()["effect"], "added")
    expectEqual(phone.states(), listOf("ENQUEUED"))
  }
  suite.test("cancelling says whether there was something") {
    val phone = Phone()
    expectEqual(phone.scheduler.cancel("sync"), false)
    phone.schedule()
    expectEqual(phone.scheduler.cancel("sync"), true)
    expectEqual(phone.scheduler.cancel("sync"), false)
    expectEqual(phone.scheduler.pending(), emptyList<Any>())
  }
  suite.test("what WorkManager throws is a refusal, not an exception") {
    val phone = Phone()
    phone.manager.nextFailure = IllegalStateException("the database is gone")
    val answer = phone.schedule()
    expectEqual(answer, mapOf("ok" to false, "code" to "schedule/host", "message" to "the database is gone"))
  }
  suite.test("a network type that is none is invalid") {
    val answer = Phone().schedule("constraints" to mapOf("networkType" to "wifi"))
    expectEqual(answer["code"], "schedule/invalid")
  }
  suite.test("below Android 12 expedited work is plain, and this is declared") {
    val phone = Phone(supportsExpedited = false)
    val answer = phone.schedule("expedited" to true)
    expectEqual(answer["weakened"], listOf(mapOf("field" to "expedited", "asked" to true, "got" to false)))
    expectEqual(phone.manager.works.single().request.spec.outOfQuota, null)
  }
  suite.test("a forced run leaves the request of its id alone") {
    val phone = Phone()
    phone.schedule("earliestBeginAt" to 1_000_000 + HOUR)
    phone.scheduler.force("sync")
    expectEqual(phone.manager.works.map { it.name }, listOf("sync", "sync.forced"))
    expectEqual(phone.scheduler.pending().size, 1)
  }
}
