package com.nexusstore.reactnative

import android.os.Build
import androidx.work.Data
import androidx.work.ListenableWorker.Result
import androidx.work.Work
import androidx.work.WorkInfo
import androidx.work.WorkManager
import androidx.work.WorkerParameters
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.async
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.yield

private fun details(runId: String = "run") = RunDetails("sync", runId, 1, false, 0)

private fun record(number: Int) = RunRecord("run $number", "sync", 1, number.toLong())

private fun worker(attempts: Int = 0, isForced: Boolean = false): SyncWorker {
  TestEnvironment.reset()
  WorkManager.instance = WorkManager()
  val data = Data.Builder().putString(INPUT_ID, "sync").putBoolean(INPUT_FORCED, isForced).build()
  return SyncWorker(TestContext, WorkerParameters(data, attempts))
}

private fun resultOf(verdict: String?, attempts: Int = 0): Result {
  val worker = worker(attempts)
  TestEnvironment.host.onStart = { _, onVerdict -> onVerdict(verdict) }
  return runBlocking { worker.doWork() }
}

internal fun runTests(suite: Suite) {
  workerTests(suite)
  lifeTests(suite)
  logTests(suite)
}

private fun workerTests(suite: Suite) {
  for ((verdict, result) in listOf("success" to Result.SUCCESS, "retry" to Result.RETRY, "failure" to Result.FAILURE)) {
    suite.test("the verdict $verdict is the worker's result") { expectEqual(resultOf(verdict), result) }
  }
  suite.test("a run that JavaScript could not do is tried again") { expectEqual(resultOf(null), Result.RETRY) }
  suite.test("attempts are counted from one, and capped") {
    expectEqual(resultOf("retry", 18), Result.RETRY)
    expectEqual(TestEnvironment.host.started.single().attempt, 19)
    expectEqual(resultOf("retry", 19), Result.FAILURE)
  }
  suite.test("a failed run does not take the request behind it along") {
    val worker = worker()
    TestEnvironment.host.onStart = { _, onVerdict -> onVerdict("failure") }
    val behind = oneTimeWork("sync", (mapRequest(mapOf("id" to "sync"), 0, true) as Mapping.Accepted).request, 0)
    WorkManager.instance.works += Work("sync", behind, WorkInfo.State.BLOCKED, 0)
    expectEqual(runBlocking { worker.doWork() }, Result.SUCCESS)
  }
  suite.test("a forced run always succeeds: its own request decides about retries") {
    val worker = worker(isForced = true)
    TestEnvironment.host.onStart = { _, onVerdict -> onVerdict("retry") }
    expectEqual(runBlocking { worker.doWork() }, Result.SUCCESS)
    expectEqual(TestEnvironment.host.started.single().isForced, true)
  }
  suite.test("JavaScript is told a deadline under the system's ten minutes") {
    resultOf("success")
    expectEqual(TestEnvironment.host.started.single().deadline, 5_000 + 540_000L)
  }
  suite.test("work without an id fails") {
    val worker = SyncWorker(TestContext, WorkerParameters(Data.Builder().build(), 0))
    expectEqual(runBlocking { worker.doWork() }, Result.FAILURE)
  }
  for ((version, reason) in listOf(36 to "constraint", 30 to "unknown")) {
    suite.test("a worker that the system stops on API $version tells JavaScript why: $reason") {
      Build.VERSION.SDK_INT = version
      val worker = worker()
      worker.stopReason = WorkInfo.STOP_REASON_CONSTRAINT_CONNECTIVITY
      expectCancelled { worker.doWork() }
      Build.VERSION.SDK_INT = 36
      expectEqual(TestEnvironment.host.stopped, listOf(reason))
      expectEqual(TestEnvironment.log.records().single().stopReason, reason)
      expectEqual(TestEnvironment.log.records().single().result, "retry")
    }
  }
}

private fun expectCancelled(body: suspend () -> Any?) = runBlocking {
  val running = async { body() }
  yield()
  running.cancelAndJoin()
  try {
    running.await()
    throw AssertionError("the worker ended by itself")
  } catch (_: CancellationException) {
    // As it must: WorkManager owns the result of a worker that it stopped.
  }
}

private fun lifeTests(suite: Suite) {
  suite.test("the first of two verdicts counts") {
    val host = ScriptedHost()
    host.onStart = { _, onVerdict ->
      onVerdict("failure")
      onVerdict("success")
    }
    val log = RunLog(MemoryLogStore())
    val verdict = runBlocking { RunLife(host, log, { 1 }).run(details()) { "unknown" } }
    expectEqual(verdict, "failure")
    expectEqual(log.records().single().result, "failure")
    expectEqual(host.stopped, emptyList<String>())
  }
  suite.test("a run that never ends is told of its timeout, and asked for again") {
    val host = ScriptedHost()
    val log = RunLog(MemoryLogStore())
    val verdict = runBlocking { RunLife(host, log, { 1 }, limitMs = 20, graceMs = 20).run(details()) { "unknown" } }
    expectEqual(verdict, null)
    expectEqual(host.stopped, listOf("timeout"))
    expectEqual(log.records().single().stopReason, "timeout")
    expectEqual(log.records().single().result, "retry")
  }
  suite.test("a verdict within the grace after the timeout counts") {
    val host = ScriptedHost()
    var report: (String?) -> Unit = {}
    host.onStart = { _, onVerdict -> report = onVerdict }
    host.onStop = { report("success") }
    val log = RunLog(MemoryLogStore())
    val verdict = runBlocking { RunLife(host, log, { 1 }, limitMs = 20, graceMs = 1_000).run(details()) { "unknown" } }
    expectEqual(verdict, "success")
    expectEqual(log.records().single().stopReason, "timeout")
  }
  suite.test("a verdict after the system stopped the worker changes nothing") {
    val host = ScriptedHost()
    var report: (String?) -> Unit = {}
    host.onStart = { _, onVerdict -> report = onVerdict }
    val log = RunLog(MemoryLogStore())
    expectCancelled { RunLife(host, log, { 1 }).run(details()) { "preempted" } }
    report("success")
    expectEqual(host.stopped, listOf("preempted"))
    expectEqual(log.records().single().result, "retry")
  }
  suite.test("a run that dies with its process leaves a record without an end") {
    val log = RunLog(MemoryLogStore())
    log.began(record(1))
    expectEqual(log.records().single().endedAt, null)
  }
}

private fun logTests(suite: Suite) {
  suite.test("the ring keeps the last hundred, oldest first") {
    val log = RunLog(MemoryLogStore())
    for (number in 1..105) log.began(record(number))
    expectEqual(log.records().map { it.beganAt }, (6L..105L).toList())
  }
  suite.test("only the first end of a run is kept") {
    val log = RunLog(MemoryLogStore())
    log.began(record(1))
    log.ended("run 1", 2, "success", null)
    log.ended("run 1", 3, "retry", "timeout")
    expectEqual(log.records().single(), record(1).copy(endedAt = 2, result = "success"))
  }
  suite.test("odd ids survive the log") {
    val log = RunLog(MemoryLogStore())
    val odd = RunRecord("a b\n-", "-", 3, 4, 5, "retry", "é%")
    log.began(odd)
    expectEqual(log.records().single().runId, "a b\n-")
    expectEqual(log.records().single().stopReason, "é%")
  }
  suite.test("a log that is damaged is read as far as it can be") {
    val store = MemoryLogStore()
    val log = RunLog(store)
    log.began(record(1))
    store.text += "\nwhat is this\nrun id x y - - -"
    expectEqual(log.records(), listOf(record(1)))
  }
}
