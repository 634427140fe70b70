import Foundation

/// What JavaScript is told of a run.
struct RunDetails {
  let id: String
  let runId: String
  let attempt: Int
  let deadline: Double
}

/// The JavaScript of the app, as far as runs need it.
protocol RunHost: AnyObject {
  /// Calls JavaScript, starting it if it is not there. False if nothing can be called.
  func start(_ run: RunDetails) -> Bool
  /// Tells JavaScript why its run ends.
  func stop(_ runId: String, reason: String)
}

/// The port's requests on BGTaskScheduler, and every run from launch to completion. All calls belong on `queue`:
/// so nothing is completed twice, and no submit blocks the main thread at launch.
final class SyncScheduler {
  static let queue = DispatchQueue(label: "nexus-store.sync")
  /// After the expiration handler the system takes the process soon; this long JavaScript may still answer.
  static let grace: TimeInterval = 1

  private let system: SystemScheduling
  private let store: WorkStore
  private let log: RunLog
  private let now: () -> Double
  private var runs: [String: ActiveRun] = [:]
  weak var host: RunHost?
  /// Identifiers with a launch handler. Submitting another one would crash the app when it is launched.
  var registeredIds: Set<String> = []

  private struct ActiveRun {
    let id: String
    let attempt: Int
    let task: LaunchedTask
    var stopReason: String?
  }

  init(system: SystemScheduling, values: KeyValueStore, now: @escaping () -> Double) {
    self.system = system
    self.store = WorkStore(values)
    self.log = RunLog(values)
    self.now = now
  }

  // MARK: - Requests

  func schedule(_ request: [String: Any]) -> [String: Any] {
    let id = request["id"] as? String ?? ""
    let existing = store.work(id)
    let policy = request["existing"] as? String ?? "update"
    let isUpdate = existing != nil && policy == "update"
    let countedFrom = isUpdate ? existing!.lastEnqueuedAt : now()
    guard case let .accepted(mapped, weakened) = mapRequest(request, countedFrom: countedFrom) else {
      return refusal(of: mapRequest(request, countedFrom: countedFrom))
    }
    if existing != nil && policy == "keep" {
      return accepted("kept", [])
    }
    if isUpdate, let message = updateRefusal(from: existing!.request.work.kind, to: mapped.work.kind) {
      return refused("schedule/invalid", message)
    }
    let isRunning = runs.values.contains { $0.id == id }
    var work = StoredWork(
      id: id, request: mapped, lastEnqueuedAt: now(), attempts: 0, periods: 0, again: nil)
    if isUpdate, let old = existing {
      work = old
      work.request = mapped
      if isRunning {
        let floor = (request["earliestBeginAt"] as? NSNumber)?.doubleValue
        work.again = StoredWork.Again(request: mapped, earliestBeginAt: floor)
      }
    }
    if let refusal = submit(work) {
      return refusal
    }
    if isUpdate {
      store.put(work)
      return accepted(isRunning ? "updated-next-run" : "updated-now", weakened)
    }
    stopRuns(of: id, reason: "cancelled")
    store.put(work)
    return accepted(existing == nil ? "added" : "replaced", weakened)
  }

  func cancel(_ id: String) -> Bool {
    guard store.work(id) != nil else {
      return false
    }
    store.remove(id)
    system.cancel(id)
    stopRuns(of: id, reason: "cancelled")
    return true
  }

  func pending() -> [[String: Any?]] {
    store.all().map { work in
      let isRunning = runs.values.contains { $0.id == work.id }
      return [
        "id": work.id,
        "state": isRunning ? "running" : "waiting",
        "nextAt": isRunning ? nil : work.dueAt,
        "attempt": isRunning ? work.attempts : work.attempts + 1
      ]
    }
  }

  func runLog() -> [[String: Any?]] {
    log.records().map { $0.bridged }
  }

  // MARK: - Runs

  /// The system has launched a task. The next request is submitted before the app runs, so that a run which dies
  /// is followed by another.
  func launched(_ id: String, _ task: LaunchedTask) {
    guard var work = store.work(id) else {
      // Cancelled, and launched all the same.
      task.setTaskCompleted(success: true)
      return
    }
    work.begin(at: now())
    store.put(work)
    _ = submit(work)
    let runId = UUID().uuidString
    let isProcessing = work.request.taskKind == "processing"
    let window = isProcessing ? Limits.processingWindow : Limits.refreshWindow
    let run = RunDetails(id: id, runId: runId, attempt: work.attempts, deadline: now() + window)
    runs[runId] = ActiveRun(id: id, attempt: work.attempts, task: task, stopReason: nil)
    log.began(RunRecord(runId: runId, id: id, attempt: work.attempts, beganAt: now()))
    task.expirationHandler = { [weak self] in
      SyncScheduler.queue.async { self?.expire(runId) }
    }
    if host?.start(run) != true {
      complete(runId, nil)
    }
  }

  /// JavaScript's verdict, or nil for none. The first one counts: a run that is gone is not completed again. Without
  /// a run it is meant for the only one there is; of several, each ends when it expires.
  func complete(_ named: String?, _ verdict: String?) {
    let sole = runs.count == 1 ? runs.keys.first : nil
    guard let runId = named ?? sole, let run = runs.removeValue(forKey: runId) else {
      return
    }
    let result = hostResult(verdict, attempt: run.attempt)
    var refusal: String?
    if var work = store.work(run.id) {
      if work.settle(result, at: now()) {
        store.put(work)
        refusal = submit(work)?["code"] as? String
      } else {
        store.remove(run.id)
        system.cancel(run.id)
      }
    }
    log.ended(runId, at: now(), result: result, stopReason: run.stopReason, refusal: refusal)
    run.task.setTaskCompleted(success: result == "success")
  }

  /// The system ends a run: JavaScript hears it first, and may still answer within the grace.
  private func expire(_ runId: String) {
    guard runs[runId] != nil, runs[runId]?.stopReason == nil else {
      return
    }
    runs[runId]?.stopReason = "expired"
    host?.stop(runId, reason: "expired")
    SyncScheduler.queue.asyncAfter(deadline: .now() + SyncScheduler.grace) { [weak self] in
      self?.complete(runId, nil)
    }
  }

  /// Ends the runs of an id that was cancelled or replaced; what they report later changes nothing.
  private func stopRuns(of id: String, reason: String) {
    for (runId, run) in runs where run.id == id {
      runs.removeValue(forKey: runId)
      host?.stop(runId, reason: reason)
      log.ended(runId, at: now(), result: "retry", stopReason: reason)
      run.task.setTaskCompleted(success: false)
    }
  }

  // MARK: - Answers

  /// Nil if the system accepted it; else the refusal, with the system's own code.
  private func submit(_ work: StoredWork) -> [String: Any]? {
    let permitted = Bundle.main.object(forInfoDictionaryKey: "BGTaskSchedulerPermittedIdentifiers") as? [String]
    if permitted?.contains(work.id) == true && !registeredIds.contains(work.id) {
      return refused("schedule/not-configured", "no launch handler was registered for \(work.id)")
    }
    do {
      try system.submit(work.id, work.request, dueAt: work.dueAt)
      return nil
    } catch {
      let native = error as NSError
      var answer = refused(scheduleErrorCode(native.code), "\(native.domain) \(native.code)")
      answer["nativeCode"] = native.code
      return answer
    }
  }

  private func accepted(_ effect: String, _ weakened: [Weakened]) -> [String: Any] {
    ["ok": true, "effect": effect, "weakened": weakened.map { $0.bridged }]
  }

  private func refused(_ code: String, _ message: String) -> [String: Any] {
    ["ok": false, "code": code, "message": message]
  }

  private func refusal(of mapping: Mapping) -> [String: Any] {
    if case let .refused(message) = mapping {
      return refused("schedule/invalid", message)
    }
    return refused("schedule/host", "the request could not be mapped")
  }
}
