import ExpoModulesCore
import UIKit

/// What of this module lives as long as the process: the scheduler, the assertion, who listens.
final class SyncCenter: RunHost {
  static let shared = SyncCenter()

  let scheduler: SyncScheduler
  let assertion = BackgroundAssertion()
  private let modules = NSHashTable<NexusStoreSyncModule>.weakObjects()
  private let lock = NSLock()
  private var lastState = "headless"

  private init() {
    scheduler = SyncScheduler(system: SystemScheduler(), values: UserDefaults.standard) {
      Date().timeIntervalSince1970 * 1_000
    }
    scheduler.host = self
    SyncTaskConsumer.onVerdict = { [weak self] runId, verdict in
      self?.scheduler.complete(runId, verdict)
    }
    assertion.onExpiration = { [weak self] in
      self?.stop("assertion", reason: "expired")
    }
  }

  func add(_ module: NexusStoreSyncModule) {
    DispatchQueue.main.async { self.modules.add(module) }
  }

  /// As UIApplication said it: on the main thread, and read on others.
  var appState: String {
    lock.lock()
    defer { lock.unlock() }
    return lastState
  }

  func moved(to state: String) {
    lock.lock()
    lastState = state
    lock.unlock()
    deviceChanged()
  }

  func deviceChanged() {
    send("onDeviceChange", [:])
  }

  // MARK: - RunHost

  func start(_ run: RunDetails) -> Bool {
    guard let consumer = SyncTaskConsumer.current, consumer.task != nil else {
      return false
    }
    consumer.execute([
      "id": run.id, "runId": run.runId, "attempt": run.attempt, "reason": "scheduled",
      "appState": appState, "deadline": run.deadline
    ])
    return true
  }

  func stop(_ runId: String, reason: String) {
    send("onStop", ["runId": runId, "reason": reason])
  }

  private func send(_ event: String, _ body: [String: Any?]) {
    DispatchQueue.main.async {
      for module in self.modules.allObjects {
        module.sendEvent(event, body)
      }
    }
  }
}

/// Time to finish after the app left the screen: about 30 s, if there is something worth it.
final class BackgroundAssertion {
  /// JavaScript says that critical entries wait.
  private var isWanted = false
  private var identifier = UIBackgroundTaskIdentifier.invalid
  var onExpiration: () -> Void = {}

  func setWanted(_ wanted: Bool) {
    isWanted = wanted
    if !wanted {
      end()
    }
  }

  /// The app has left the screen.
  func leftForeground() {
    guard isWanted, identifier == .invalid else {
      return
    }
    identifier = UIApplication.shared.beginBackgroundTask(withName: "nexus-store") { [weak self] in
      self?.onExpiration()
      self?.end()
    }
  }

  /// An assertion that is not ended costs the app its life.
  func end() {
    guard identifier != .invalid else {
      return
    }
    let ended = identifier
    identifier = .invalid
    UIApplication.shared.endBackgroundTask(ended)
  }
}
