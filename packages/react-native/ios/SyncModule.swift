import ExpoModulesCore
import UIKit

private let taskName = "nexus-store.background-sync"

public class NexusStoreSyncModule: Module {
  private var center: SyncCenter { SyncCenter.shared }

  public func definition() -> ModuleDefinition {
    Name("NexusStoreBackgroundSync")

    Events("onStop", "onDeviceChange")

    Constants(["platform": "ios", "supportsExpedited": false])

    OnCreate {
      self.center.add(self)
    }

    AsyncFunction("schedule") { (request: [String: Any]) -> [String: Any] in
      if let refusal = self.registerTask() {
        return refusal
      }
      return self.center.scheduler.schedule(request)
    }.runOnQueue(SyncScheduler.queue)

    AsyncFunction("cancel") { (id: String) -> Bool in
      self.center.scheduler.cancel(id)
    }.runOnQueue(SyncScheduler.queue)

    AsyncFunction("pending") { () -> [[String: Any?]] in
      self.center.scheduler.pending()
    }.runOnQueue(SyncScheduler.queue)

    AsyncFunction("runLog") { () -> [[String: Any?]] in
      self.center.scheduler.runLog()
    }.runOnQueue(SyncScheduler.queue)

    AsyncFunction("deviceFacts") { () -> [String: Any?] in
      deviceFacts(appState: self.center.appState)
    }.runOnQueue(.main)

    AsyncFunction("setKeepAwake") { (isWanted: Bool) in
      self.center.assertion.setWanted(isWanted)
    }.runOnQueue(.main)

    AsyncFunction("forceRun") { (id: String) -> Bool in
      try DebugLaunch.simulate(id)
    }.runOnQueue(.main)
  }

  /// Kept by expo-task-manager beyond the process; a task that JavaScript did not define was dropped by it.
  private func registerTask() -> [String: Any]? {
    guard let manager: EXTaskManagerInterface = appContext?.legacyModule(implementing: EXTaskManagerInterface.self) else {
      return [
        "ok": false, "code": "schedule/not-configured", "message": "expo-task-manager is not installed"
      ]
    }
    if !manager.task(withName: taskName, hasConsumerOf: SyncTaskConsumer.self) {
      manager.registerTask(withName: taskName, consumer: SyncTaskConsumer.self, options: [:])
    }
    return nil
  }
}

/// What the system says of the device now. What it does not tell is null. On the main thread.
private func deviceFacts(appState: String) -> [String: Any?] {
  let device = UIDevice.current
  device.isBatteryMonitoringEnabled = true
  let isCharging: Bool? =
    device.batteryState == .unknown ? nil : device.batteryState == .charging || device.batteryState == .full
  // Low is what the status bar shows as low, 20 %.
  let isLow: Bool? = device.batteryLevel < 0 ? nil : device.batteryLevel <= 0.2 && isCharging != true
  return [
    "isConnected": nil, "isMetered": nil, "isRoaming": nil,
    "isCharging": isCharging,
    "isBatteryLow": isLow,
    "isStorageLow": nil,
    "isDeviceIdle": nil,
    "isPowerSaving": ProcessInfo.processInfo.isLowPowerModeEnabled,
    "isBackgroundAllowed": UIApplication.shared.backgroundRefreshStatus == .available,
    "standbyBucket": nil,
    "appState": appState
  ]
}
