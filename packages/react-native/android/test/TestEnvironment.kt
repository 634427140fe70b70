package com.nexusstore.reactnative

import android.content.Context

/** Stands in for the file of the same class in the main sources, which reaches into Android and Expo. */
internal class SyncEnvironment(@Suppress("UNUSED_PARAMETER") context: Context) {
  val now: () -> Long = { TestEnvironment.now }
  val log: RunLog = TestEnvironment.log
  val host: RunHost = TestEnvironment.host
}

internal object TestEnvironment {
  var now = 5_000L
  var store = MemoryLogStore()
  var log = RunLog(store)
  var host = ScriptedHost()

  fun reset() {
    store = MemoryLogStore()
    log = RunLog(store)
    host = ScriptedHost()
  }
}

internal class MemoryLogStore : LogStore {
  var text = ""

  override fun read() = text

  override fun write(text: String) {
    this.text = text
  }
}

/** JavaScript as a test wants it. */
internal class ScriptedHost : RunHost {
  var onStart: (RunDetails, (String?) -> Unit) -> Unit = { _, _ -> }
  var onStop: (String) -> Unit = {}
  val started = mutableListOf<RunDetails>()
  val stopped = mutableListOf<String>()

  override fun start(run: RunDetails, onVerdict: (String?) -> Unit) {
    started += run
    onStart(run, onVerdict)
  }

  override fun stop(runId: String, reason: String) {
    stopped += reason
    onStop(reason)
  }
}

internal object TestContext : Context()
