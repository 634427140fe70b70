package com.nexusstore.reactnative

import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.withTimeoutOrNull

/** A worker's own limit, under the system's ten minutes, so that it ends itself and can say why. */
internal const val RUN_LIMIT_MS = 540_000L

/** After it was told to stop JavaScript gets this long to come back with a verdict. */
internal const val GRACE_MS = 5_000L

internal data class RunDetails(
  val id: String,
  val runId: String,
  val attempt: Int,
  val isForced: Boolean,
  val deadline: Long,
)

/** The JavaScript of the app, as far as a run needs it. */
internal interface RunHost {
  /**
   * Calls JavaScript, starting it if it is not there. `onVerdict` may come at any time, on any thread, more
   * than once, with null for a run that JavaScript could not do, or never.
   */
  fun start(run: RunDetails, onVerdict: (String?) -> Unit)

  /** Tells JavaScript why its run ends. */
  fun stop(runId: String, reason: String)
}

/** One run from its begin to its verdict, whatever JavaScript does. */
internal class RunLife(
  private val host: RunHost,
  private val log: RunLog,
  private val now: () -> Long,
  private val limitMs: Long = RUN_LIMIT_MS,
  private val graceMs: Long = GRACE_MS,
) {
  /**
   * JavaScript's verdict: the first one counts. Null if it gave none in time.
   *
   * @param stopReason why the system stops the worker, asked when it does
   */
  suspend fun run(run: RunDetails, stopReason: () -> String): String? {
    log.began(RunRecord(run.runId, run.id, run.attempt, now()))
    val verdict = CompletableDeferred<String?>()
    try {
      host.start(run) { verdict.complete(it) }
      val inTime = withTimeoutOrNull(limitMs) { Verdict(verdict.await()) }
      if (inTime != null) {
        log.ended(run.runId, now(), inTime.result ?: "retry", null)
        return inTime.result
      }
      host.stop(run.runId, "timeout")
      val late = withTimeoutOrNull(graceMs) { Verdict(verdict.await()) }?.result
      log.ended(run.runId, now(), late ?: "retry", "timeout")
      return late
    } catch (cancelled: CancellationException) {
      // The system stops the worker; what JavaScript reports now no longer counts.
      val reason = stopReason()
      host.stop(run.runId, reason)
      log.ended(run.runId, now(), "retry", reason)
      throw cancelled
    }
  }

  /** Tells "no verdict" from "a verdict of null". */
  private class Verdict(val result: String?)
}
