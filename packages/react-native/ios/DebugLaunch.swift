import BackgroundTasks
import ExpoModulesCore

/// What lldb's `_simulateLaunchForTaskWithIdentifier:` does, for a button in development builds. A private selector:
/// it must not be in a release.
enum DebugLaunch {
  static func simulate(_ id: String) throws -> Bool {
#if DEBUG
    let selector = NSSelectorFromString("_simulate".appending("LaunchForTaskWithIdentifier:"))
    guard let method = class_getInstanceMethod(BGTaskScheduler.self, selector) else {
      return false
    }
    typealias Launch = @convention(c) (AnyObject, Selector, String) -> Void
    let launch = unsafeBitCast(method_getImplementation(method), to: Launch.self)
    launch(BGTaskScheduler.shared, selector, id)
    return true
#else
    throw Exception(name: "NotInRelease", description: "runs are forced in development builds only")
#endif
  }
}
