import BackgroundTasks
import ExpoModulesCore

/// Launch handlers count only until the launch ends, so they are registered here and not when JavaScript is up:
/// for the identifiers that the app chose in Info.plist, and for no others.
public class NexusStoreLaunchSubscriber: ExpoAppDelegateSubscriber {
  public func application(
    _ application: UIApplication,
    didFinishLaunchingWithOptions launchOptions: [UIApplication.LaunchOptionsKey: Any]? = nil
  ) -> Bool {
    let center = SyncCenter.shared
    let ours = Bundle.main.object(forInfoDictionaryKey: "NexusStoreSyncIdentifiers") as? [String] ?? []
    var registered: Set<String> = []
    for id in Set(ours) {
      // False for an identifier that BGTaskSchedulerPermittedIdentifiers lacks.
      let isRegistered = BGTaskScheduler.shared.register(forTaskWithIdentifier: id, using: SyncScheduler.queue) { task in
        center.scheduler.launched(id, task)
      }
      if isRegistered {
        registered.insert(id)
      }
    }
    SyncScheduler.queue.async { center.scheduler.registeredIds = registered }
    observe(center)
    return true
  }

  /// By notification and not as the app's delegate: with scenes, the delegate's methods are not called.
  private func observe(_ center: SyncCenter) {
    let notifications = NotificationCenter.default
    for name in [
      Notification.Name.NSProcessInfoPowerStateDidChange, UIApplication.backgroundRefreshStatusDidChangeNotification
    ] {
      notifications.addObserver(forName: name, object: nil, queue: .main) { _ in center.deviceChanged() }
    }
    notifications.addObserver(forName: UIApplication.didBecomeActiveNotification, object: nil, queue: .main) { _ in
      center.assertion.end()
      center.moved(to: "foreground")
    }
    notifications.addObserver(forName: UIApplication.didEnterBackgroundNotification, object: nil, queue: .main) { _ in
      center.assertion.leftForeground()
      center.moved(to: "background")
    }
  }
}
