import BackgroundTasks
import Foundation

/// The little that is needed of BGTaskScheduler, so that a test can stand in for it.
protocol SystemScheduling {
  /// - Throws: the NSError of BGTaskScheduler, code included.
  func submit(_ id: String, _ request: MappedRequest, dueAt: Double) throws
  func cancel(_ id: String)
}

/// A task that the system has launched.
protocol LaunchedTask: AnyObject {
  var expirationHandler: (() -> Void)? { get set }
  func setTaskCompleted(success: Bool)
}

extension BGTask: LaunchedTask {}

struct SystemScheduler: SystemScheduling {
  func submit(_ id: String, _ request: MappedRequest, dueAt: Double) throws {
    let native: BGTaskRequest
    if request.taskKind == "processing" {
      let processing = BGProcessingTaskRequest(identifier: id)
      processing.requiresNetworkConnectivity = request.work.constraints.networkType != "not-required"
      processing.requiresExternalPower = request.work.constraints.requiresCharging
      native = processing
    } else {
      native = BGAppRefreshTaskRequest(identifier: id)
    }
    native.earliestBeginDate = Date(timeIntervalSince1970: dueAt / 1_000)
    // An identifier that is pending already is replaced.
    try BGTaskScheduler.shared.submit(native)
  }

  func cancel(_ id: String) {
    BGTaskScheduler.shared.cancel(taskRequestWithIdentifier: id)
  }
}
