package com.nexusstore.reactnative

import java.net.URLDecoder
import java.net.URLEncoder

/** Where the run log is kept: one text. */
internal interface LogStore {
  fun read(): String

  fun write(text: String)
}

/** One run as the system saw it. Without an end the process died under it. */
internal data class RunRecord(
  val runId: String,
  val id: String,
  val attempt: Int,
  val beganAt: Long,
  val endedAt: Long? = null,
  val result: String? = null,
  val stopReason: String? = null,
)

/** What happened while perhaps no JavaScript ran: the last runs, in a ring. */
internal class RunLog(private val store: LogStore, private val limit: Int = 100) {
  fun began(record: RunRecord) = synchronized(LOCK) { save((records() + record).takeLast(limit)) }

  /** Only the first end of a run is kept. */
  fun ended(runId: String, at: Long, result: String, stopReason: String?) =
    synchronized(LOCK) {
      save(
        records().map {
          if (it.runId != runId || it.endedAt != null) it
          else it.copy(endedAt = at, result = result, stopReason = stopReason)
        }
      )
    }

  /** Oldest first. A line that cannot be read is left out. */
  fun records(): List<RunRecord> =
    synchronized(LOCK) { store.read().lineSequence().mapNotNull(::decoded).toList() }

  private fun save(records: List<RunRecord>) = store.write(records.joinToString("\n", transform = ::encoded))

  private fun encoded(record: RunRecord): String =
    listOf(
      record.runId,
      record.id,
      record.attempt,
      record.beganAt,
      record.endedAt ?: "",
      record.result ?: "",
      record.stopReason ?: "",
    ).joinToString(" ") { URLEncoder.encode(it.toString(), "UTF-8").ifEmpty { "-" } }

  private fun decoded(line: String): RunRecord? {
    val fields = line.split(' ').map { if (it == "-") "" else URLDecoder.decode(it, "UTF-8") }
    if (fields.size != 7) return null
    return RunRecord(
      fields[0],
      fields[1],
      fields[2].toIntOrNull() ?: return null,
      fields[3].toLongOrNull() ?: return null,
      fields[4].toLongOrNull(),
      fields[5].ifEmpty { null },
      fields[6].ifEmpty { null },
    )
  }

  private companion object {
    /** Several workers share the store. */
    val LOCK = Any()
  }
}

internal fun bridged(record: RunRecord): Map<String, Any?> =
  mapOf(
    "runId" to record.runId,
    "id" to record.id,
    "attempt" to record.attempt,
    "beganAt" to record.beganAt.toDouble(),
    "endedAt" to record.endedAt?.toDouble(),
    "result" to record.result,
    "stopReason" to record.stopReason,
  )
