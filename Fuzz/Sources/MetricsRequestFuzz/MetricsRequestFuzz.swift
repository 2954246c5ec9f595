// SPDX-License-Identifier: Apache-2.0
// Any bytes as the target of a request to the metrics adapter: answered in JSON, or refused in a Status that says so too.

import Weir
import WeirAdapter
import WeirEventLoop

private let now: Nanoseconds = 60_000_000_000
private let apis = [false, true].map { MetricsAPI(servesExternal: $0, version: "1") }

/// Two pods of a service, of which one has answered.
private let table = {
    var table = SignalTable(SignalTiming(window: 10_000_000_000, ageMax: 15_000_000_000))
    let pods = ["orders-0", "orders-1"].map { name in
        WatchedPod(namespace: "shop", name: name, uid: name, labels: ["app": "orders"])
    }
    table.follow(pods, now: 0)
    table.follow([WatchedService(namespace: "shop", name: "orders", selector: LabelSelector(parsing: "app=orders"))])
    let answer = """
        {"utilization":0.5,"offered_load":2.5,"executing":2,"queued":1,"concurrency_limit":4,"queue_limit":16,\
        "queued_peak":3,"oldest_seconds":0.1,"queue_seconds_total":9,"execution_seconds_total":90,\
        "arrived_total":900,"rejected_total":0,"streams_active":0}
        """
    guard let reading = QueueReading(parsing: Array(answer.utf8)) else { preconditionFailure("no answer of a pod") }
    table.add(PodSample(reading, at: now, second: 60), of: pods[0].key, uid: pods[0].uid)
    return table
}()

@c(LLVMFuzzerTestOneInput)
public func fuzzMetricsRequest(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    // libFuzzer's memory, valid and constant during this call.
    let text = unsafe String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
    let parts = text.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    let query = Query(text: parts.count == 2 ? String(parts[1]) : "")
    for api in apis {
        let answer = api.answer(path: String(parts[0]), query: query, table, now: now)
        guard let document = try? JSONValue(parsing: answer.body) else { preconditionFailure("no JSON") }
        let code: JSONValue? = answer.status == 200 ? nil : .number(Double(answer.status))
        precondition(field("code", of: document) == code, "it says another status, or none")
        let isStatus = field("kind", of: document) == .string("Status")
        precondition(isStatus == (code != nil), "a refusal that is no Status, or an answer that is one")
        precondition([200, 400, 404, 503].contains(answer.status), "status \(answer.status)")
    }
    return 0
}

private func field(_ name: String, of document: JSONValue) -> JSONValue? {
    guard case .object(let fields) = document else { preconditionFailure("no object") }
    return fields.first { $0.name == name }?.value
}
