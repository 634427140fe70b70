import Foundation

// The rules of a request on iOS, without BackgroundTasks: what is refused, what is clamped, what an app is
// told of it, and when work is due. Pure. mapping-cases.json holds it, its TypeScript model and the Kotlin
// mapping to the same answers. Times in milliseconds, instants since 1970.

enum Limits {
  static let minInterval = 900_000.0
  static let defaultBackoff = 30_000.0
  static let minBackoff = 10_000.0
  static let maxBackoff = 18_000_000.0
  /// After so many begun runs that asked for a retry, or died, the host stops asking by itself.
  static let maxAttempts = 20
  /// BGAppRefreshTask has about 30 s; BGProcessingTask minutes, how many Apple does not say.
  static let refreshWindow = 30_000.0
  static let processingWindow = 300_000.0
}

struct MappedConstraints: Codable, Equatable {
  var networkType: String
  var requiresCharging: Bool
  var requiresBatteryNotLow: Bool
  var requiresStorageNotLow: Bool
  var requiresDeviceIdle: Bool
}

struct MappedWork: Codable, Equatable {
  var kind: String
  var initialDelayMs: Double
  var intervalMs: Double
  var flexMs: Double
  var constraints: MappedConstraints
  var backoffPolicy: String
  var backoffDelayMs: Double
  var isExpedited: Bool
}

struct MappedRequest: Codable, Equatable {
  var taskKind: String
  var work: MappedWork
}

/// A field of which the host gives less than was asked.
struct Weakened {
  let field: String
  let asked: Any
  /// Nil for a field that the host ignores.
  let got: Any?

  var bridged: [String: Any?] {
    ["field": field, "asked": asked, "got": got]
  }
}

enum Mapping {
  case accepted(MappedRequest, [Weakened])
  case refused(String)
}

/// - Parameter countedFrom: the instant from which the initial delay counts: now, or the first enqueue of the
///   work that this request updates.
func mapRequest(_ request: [String: Any], countedFrom: Double) -> Mapping {
  if let message = contradiction(request) ?? expeditedRefusal(request) {
    return .refused(message)
  }
  var weakened: [Weakened] = []
  func give<T: Equatable>(_ field: String, _ asked: T, _ got: T) -> T {
    if asked != got {
      weakened.append(Weakened(field: field, asked: asked, got: got))
    }
    return got
  }

  let taskKind = request["taskKind"] as? String ?? "app-refresh"
  var interval = 0.0
  if let asked = number(request["intervalMs"]) {
    interval = give("intervalMs", asked, max(asked, Limits.minInterval))
  }
  if let flex = number(request["flexMs"]) {
    weakened.append(Weakened(field: "flexMs", asked: flex, got: nil))
  }
  let constraints = givenConstraints(request, isProcessing: taskKind == "processing") { field, asked, got in
    weakened.append(Weakened(field: "constraints.\(field)", asked: asked, got: got))
  }
  let backoff = request["backoff"] as? [String: Any]
  let askedBackoff = number(backoff?["initialMs"]) ?? Limits.defaultBackoff
  let backoffDelay = give(
    "backoff.initialMs", askedBackoff, min(max(askedBackoff, Limits.minBackoff), Limits.maxBackoff))
  let isExpedited = give("expedited", request["expedited"] as? Bool ?? false, false)
  let work = MappedWork(
    kind: request["kind"] as? String ?? "once",
    initialDelayMs: max(0, (number(request["earliestBeginAt"]) ?? countedFrom) - countedFrom),
    intervalMs: interval,
    flexMs: interval,
    constraints: constraints,
    backoffPolicy: backoff?["policy"] as? String ?? "exponential",
    backoffDelayMs: backoffDelay,
    isExpedited: isExpedited)
  return .accepted(MappedRequest(taskKind: taskKind, work: work), weakened)
}

/// requiresNetworkConnectivity and requiresExternalPower exist on BGProcessingTaskRequest only, and iOS knows
/// no more of a network than that there is one. `note` hears what is not given.
private func givenConstraints(
  _ request: [String: Any], isProcessing: Bool, note: (String, Any, Any) -> Void
) -> MappedConstraints {
  let asked = request["constraints"] as? [String: Any] ?? [:]
  func flag(_ field: String, _ isGiven: Bool) -> Bool {
    let isAsked = asked[field] as? Bool ?? false
    if isAsked && !isGiven {
      note(field, true, false)
    }
    return isAsked && isGiven
  }
  let askedNetwork = asked["networkType"] as? String ?? "not-required"
  let isNetworkGiven = isProcessing && askedNetwork != "not-required"
  let network = isNetworkGiven ? "connected" : "not-required"
  if askedNetwork != network {
    note("networkType", askedNetwork, network)
  }
  return MappedConstraints(
    networkType: network,
    requiresCharging: flag("requiresCharging", isProcessing),
    requiresBatteryNotLow: flag("requiresBatteryNotLow", false),
    requiresStorageNotLow: flag("requiresStorageNotLow", false),
    // A processing task runs on an idle device whether it asks or not.
    requiresDeviceIdle: flag("requiresDeviceIdle", isProcessing))
}

/// Why no host could honour this request; nil if one might.
func contradiction(_ request: [String: Any]) -> String? {
  if (request["id"] as? String ?? "").isEmpty {
    return "id must not be empty"
  }
  let backoff = request["backoff"] as? [String: Any]
  let durations: [(String, Any?)] = [
    ("earliestBeginAt", request["earliestBeginAt"]),
    ("intervalMs", request["intervalMs"]),
    ("flexMs", request["flexMs"]),
    ("backoff.initialMs", backoff?["initialMs"])
  ]
  for (field, value) in durations {
    guard let value, !(value is NSNull) else {
      continue
    }
    guard let asked = number(value), asked.isFinite, asked >= 0 else {
      return "\(field) must be a finite number, not \(value)"
    }
  }
  if request["kind"] as? String == "periodic" {
    return number(request["intervalMs"]) == nil ? "periodic work needs intervalMs" : nil
  }
  if number(request["intervalMs"]) != nil {
    return "a one-off has no intervalMs"
  }
  return number(request["flexMs"]) == nil ? nil : "a one-off has no flexMs"
}

/// In the words of WorkManager, so that an app hears the same on both systems.
func expeditedRefusal(_ request: [String: Any]) -> String? {
  guard request["expedited"] as? Bool == true else {
    return nil
  }
  if request["kind"] as? String == "periodic" {
    return "PeriodicWorkRequests cannot be expedited"
  }
  let constraints = request["constraints"] as? [String: Any] ?? [:]
  for field in ["requiresCharging", "requiresBatteryNotLow", "requiresDeviceIdle"] {
    if constraints[field] as? Bool == true {
      return "Expedited jobs only support network and storage constraints"
    }
  }
  return number(request["earliestBeginAt"]) == nil ? nil : "Expedited jobs cannot be delayed"
}

func updateRefusal(from: String, to: String) -> String? {
  if from == to {
    return nil
  }
  func name(_ kind: String) -> String {
    kind == "periodic" ? "PeriodicWorkRequest" : "OneTimeWorkRequest"
  }
  return "Can't update \(name(from)) Worker to \(name(to)). Update operation must preserve worker's type."
}

/// The port's code for an error of `submit`; one that is not known keeps its number beside it.
func scheduleErrorCode(_ nativeCode: Int) -> String {
  switch nativeCode {
  case 1: return "schedule/unavailable"
  case 2: return "schedule/too-many-pending"
  case 3: return "schedule/not-permitted"
  default: return "schedule/host"
  }
}

/// The wait after the n-th begun run: base × n, or base × 2^(n-1), at most five hours.
func backoff(policy: String, base: Double, attempts: Int) -> Double {
  let wait = policy == "linear" ? base * Double(attempts) : base * pow(2, Double(attempts - 1))
  return min(wait, Limits.maxBackoff)
}

/// When work is due, by WorkManager's rules, so that a request means the same on both systems.
func nextRunAt(_ work: MappedWork, lastEnqueuedAt: Double, attempts: Int, periods: Int) -> Double {
  if attempts > 0 {
    return lastEnqueuedAt + backoff(policy: work.backoffPolicy, base: work.backoffDelayMs, attempts: attempts)
  }
  if work.kind == "once" {
    return lastEnqueuedAt + work.initialDelayMs
  }
  if periods > 0 {
    return lastEnqueuedAt + work.intervalMs
  }
  let flexWait = work.flexMs == work.intervalMs ? 0 : work.intervalMs - work.flexMs
  return lastEnqueuedAt + work.initialDelayMs + flexWait
}

/// What JavaScript's verdict becomes. Nothing, or something unknown, is a run that died before it could decide.
func hostResult(_ verdict: String?, attempt: Int) -> String {
  let result = verdict == "success" || verdict == "failure" ? verdict! : "retry"
  return result == "retry" && attempt >= Limits.maxAttempts ? "failure" : result
}

private func number(_ value: Any?) -> Double? {
  (value as? NSNumber)?.doubleValue
}
