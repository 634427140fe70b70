import XCTest

@testable import NexusStoreReactNative

/// The cases that the Kotlin mapping and the TypeScript model are held to as well.
final class MappingTests: XCTestCase {
  private func cases() throws -> [String: Any] {
    let bundle = Bundle(for: MappingTests.self)
    let url = try XCTUnwrap(bundle.url(forResource: "mapping-cases", withExtension: "json"))
    return try XCTUnwrap(JSONSerialization.jsonObject(with: Data(contentsOf: url)) as? [String: Any])
  }

  private func list(_ key: String) throws -> [[String: Any]] {
    try XCTUnwrap(try cases()[key] as? [[String: Any]])
  }

  func testRequestsAreMapped() throws {
    for item in try list("requests") {
      let name = item["name"] as? String ?? ""
      let request = try XCTUnwrap(item["request"] as? [String: Any])
      let wanted = try XCTUnwrap(item["ios"] as? [String: Any])
      switch mapRequest(request, countedFrom: item["countedFrom"] as? Double ?? 0) {
      case let .refused(message):
        XCTAssertEqual(message, wanted["refused"] as? String, name)
      case let .accepted(mapped, weakened):
        let native = try JSONSerialization.data(withJSONObject: XCTUnwrap(wanted["native"], name))
        XCTAssertEqual(mapped, try JSONDecoder().decode(MappedRequest.self, from: native), name)
        let fields = (wanted["weakened"] as? [[String: Any]])?.map { $0 as NSDictionary }
        let given = weakened.map { $0.bridged.mapValues { $0 ?? NSNull() } as NSDictionary }
        XCTAssertEqual(given, fields, name)
      }
    }
  }

  func testUpdatesKeepTheKind() throws {
    for item in try list("updates") {
      let message = updateRefusal(from: item["from"] as? String ?? "", to: item["to"] as? String ?? "")
      XCTAssertEqual(message, item["refused"] as? String)
    }
  }

  func testBackoff() throws {
    for item in try list("backoff") {
      let wait = backoff(
        policy: item["policy"] as? String ?? "", base: item["baseMs"] as? Double ?? 0,
        attempts: item["attempts"] as? Int ?? 0)
      XCTAssertEqual(wait, item["waitMs"] as? Double)
    }
  }

  func testNextRuns() throws {
    for item in try list("nextRuns") {
      let progress = try XCTUnwrap(item["progress"] as? [String: Any])
      // Work that was never enqueued is not in the store: there is nothing to compute.
      guard let last = progress["lastEnqueuedAt"] as? Double else {
        continue
      }
      let native = try JSONSerialization.data(withJSONObject: XCTUnwrap(item["work"]))
      let due = nextRunAt(
        try JSONDecoder().decode(MappedWork.self, from: native), lastEnqueuedAt: last,
        attempts: progress["attempts"] as? Int ?? 0, periods: progress["periods"] as? Int ?? 0)
      XCTAssertEqual(due, item["dueAt"] as? Double, item["name"] as? String ?? "")
    }
  }

  func testErrorsAndVerdicts() throws {
    for item in try list("iosErrors") {
      XCTAssertEqual(scheduleErrorCode(item["nativeCode"] as? Int ?? 0), item["code"] as? String)
    }
    for item in try list("hostResults") where item["hasSuccessor"] as? Bool == false {
      let result = hostResult(item["verdict"] as? String, attempt: item["attempt"] as? Int ?? 0)
      XCTAssertEqual(result, item["result"] as? String)
    }
  }
}
