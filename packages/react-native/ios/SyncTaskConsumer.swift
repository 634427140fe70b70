import ExpoModulesCore

/// The task's native end. expo-task-manager makes it anew in every process, by class name.
@objc(NexusStoreSyncTaskConsumer)
final class SyncTaskConsumer: NSObject, EXTaskConsumerInterface {
  private(set) static weak var current: SyncTaskConsumer?
  /// Called on `SyncScheduler.queue` with the run, if JavaScript said which, and its verdict for it.
  static var onVerdict: ((String?, String?) -> Void)?

  var task: EXTaskInterface?

  func taskType() -> String {
    return "nexus-store"
  }

  // Only this module's own launches run this task: `runTasks(with:)` would run everybody's.
  static func supportsLaunchReason(_ launchReason: EXTaskLaunchReason) -> Bool {
    return false
  }

  func didRegisterTask(_ task: EXTaskInterface) {
    self.task = task
    SyncTaskConsumer.current = self
  }

  func didUnregister() {
    task = nil
  }

  /// JavaScript answers `{ runId, result }`. A task that threw or was not defined answers null, and does not say for
  /// which run.
  func normalizeTaskResult(_ result: Any?) -> UInt {
    if let answer = result as? [String: Any], let runId = answer["runId"] as? String {
      let verdict = answer["result"] as? String
      SyncScheduler.queue.async { SyncTaskConsumer.onVerdict?(runId, verdict) }
    } else {
      SyncScheduler.queue.async { SyncTaskConsumer.onVerdict?(nil, nil) }
    }
    return UIBackgroundFetchResult.newData.rawValue
  }

  /// On the main thread, as expo-task-manager reads the state of the app.
  func execute(_ data: [String: Any]) {
    DispatchQueue.main.async { self.task?.execute(withData: data, withError: nil) }
  }
}
