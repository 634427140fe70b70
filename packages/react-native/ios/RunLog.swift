import Foundation

/// One run as the system saw it. Without an end the process died under it.
struct RunRecord: Codable, Equatable {
  var runId: String
  var id: String
  var attempt: Int
  var beganAt: Double
  var endedAt: Double?
  var result: String?
  var stopReason: String?
  /// Why the system refused the request for the next run, if it did: nobody else hears of it.
  var refusal: String?

  var bridged: [String: Any?] {
    [
      "runId": runId, "id": id, "attempt": attempt, "beganAt": beganAt,
      "endedAt": endedAt, "result": result, "stopReason": stopReason, "refusal": refusal
    ]
  }
}

/// What happened while perhaps no JavaScript ran: the last hundred runs, in a ring.
final class RunLog {
  private static let limit = 100
  private let values: KeyValueStore
  private let key = "nexus-store.run-log"

  init(_ values: KeyValueStore) {
    self.values = values
  }

  func began(_ record: RunRecord) {
    save((records() + [record]).suffix(RunLog.limit))
  }

  /// Only the first end of a run is kept.
  func ended(_ runId: String, at now: Double, result: String, stopReason: String?, refusal: String? = nil) {
    var known = records()
    guard let index = known.lastIndex(where: { $0.runId == runId && $0.endedAt == nil }) else {
      return
    }
    known[index].endedAt = now
    known[index].result = result
    known[index].stopReason = stopReason
    known[index].refusal = refusal
    save(known[...])
  }

  /// Oldest first.
  func records() -> [RunRecord] {
    guard let data = values.data(forKey: key) else {
      return []
    }
    return (try? JSONDecoder().decode([RunRecord].self, from: data)) ?? []
  }

  private func save(_ records: ArraySlice<RunRecord>) {
    values.set(try? JSONEncoder().encode(Array(records)), forKey: key)
  }
}
