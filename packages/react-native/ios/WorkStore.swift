import Foundation

/// A request as this module keeps it: every BGTaskRequest is a one-off, so periods and attempts are counted here.
struct StoredWork: Codable, Equatable {
  var id: String
  var request: MappedRequest
  var lastEnqueuedAt: Double
  var attempts: Int
  var periods: Int
  /// Asked for again while it runs: a one-off is then due anew when this run ends.
  var again: Again?

  struct Again: Codable, Equatable {
    var request: MappedRequest
    /// The instant that was asked for; nil for as soon as possible.
    var earliestBeginAt: Double?
  }

  var dueAt: Double {
    nextRunAt(request.work, lastEnqueuedAt: lastEnqueuedAt, attempts: attempts, periods: periods)
  }

  /// A run begins. The launch has used the system's request up; the next one is due as if this run dies.
  mutating func begin(at now: Double) {
    attempts += 1
    lastEnqueuedAt = now
    again = nil
  }

  /// A run has ended. False if nothing is left to ask of the system.
  mutating func settle(_ result: String, at now: Double) -> Bool {
    lastEnqueuedAt = now
    if result == "retry" {
      return true
    }
    attempts = 0
    if request.work.kind == "periodic" {
      periods += 1
      return true
    }
    guard let next = again else {
      return false
    }
    request = next.request
    request.work.initialDelayMs = max(0, (next.earliestBeginAt ?? now) - now)
    again = nil
    return true
  }
}

/// Where requests and the run log outlive the process.
protocol KeyValueStore {
  func data(forKey key: String) -> Data?
  func set(_ value: Any?, forKey key: String)
}

extension UserDefaults: KeyValueStore {}

final class WorkStore {
  private let values: KeyValueStore
  private let key = "nexus-store.work"

  init(_ values: KeyValueStore) {
    self.values = values
  }

  /// What cannot be read is nothing: the app asks again when it starts.
  func all() -> [StoredWork] {
    guard let data = values.data(forKey: key) else {
      return []
    }
    return (try? JSONDecoder().decode([StoredWork].self, from: data)) ?? []
  }

  func work(_ id: String) -> StoredWork? {
    all().first { $0.id == id }
  }

  func put(_ work: StoredWork) {
    save(all().filter { $0.id != work.id } + [work])
  }

  func remove(_ id: String) {
    save(all().filter { $0.id != id })
  }

  private func save(_ works: [StoredWork]) {
    values.set(try? JSONEncoder().encode(works), forKey: key)
  }
}
