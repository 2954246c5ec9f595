// SPDX-License-Identifier: Apache-2.0
// Any bytes as what the metrics adapter reads: the first line as a list of pods, the second as one of services, and each
// further one as an event, and as what a pod answers to /queue. What is told of the pods is a quantity, or nothing.

import WeirAdapter
import WeirEventLoop
import WeirUpstream

private let second: Nanoseconds = 1_000_000_000
private let timing = SignalTiming(window: 10 * second, ageMax: 15 * second)
private let podsMax = 8

@c(LLVMFuzzerTestOneInput)
public func fuzzAdapterAnswers(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    // libFuzzer's memory, valid and constant during this call.
    let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
    let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map { Array($0) }
    var pods = ObjectTable<WatchedPod>(countMax: podsMax)
    if let list = KubernetesJSON<WatchedPod>.list(lines[0]), !pods.add(list) { return 0 }
    var services = ObjectTable<WatchedService>(countMax: podsMax)
    if lines.count > 1, let list = KubernetesJSON<WatchedService>.list(lines[1]), !services.add(list) { return 0 }
    var table = SignalTable(timing)
    table.follow(Array(services.objects.values))
    var now: Nanoseconds = 0
    follow(pods, &table, now)
    for line in lines.dropFirst(2) {
        now += second
        if let event = KubernetesJSON<WatchedPod>.event(line) {
            let before = pods
            switch pods.apply(event) {
            case .changed: precondition(pods.objects != before.objects, "a change that is none")
            case .unchanged: precondition(pods.objects == before.objects, "a change without a word")
            case .expired, .failed:
                let isSame = pods.objects == before.objects && pods.resourceVersion == before.resourceVersion
                precondition(isSame, "an error that changes something")
            case .tooMany: return 0
            }
            follow(pods, &table, now)
        }
        if let reading = QueueReading(parsing: line) {
            let sample = PodSample(reading, at: now, second: Int64(now / second))
            for pod in pods.objects.values { table.add(sample, of: pod.key, uid: pod.uid) }
        }
        check(table, now)
    }
    checkTexts(bytes)
    return 0
}

private func follow(_ pods: ObjectTable<WatchedPod>, _ table: inout SignalTable, _ now: Nanoseconds) {
    table.follow(pods.objects.values.filter { !$0.isEnding }, now: now)
    precondition(table.entries.count <= podsMax && table.readyCount <= table.entries.count, "more than there are")
}

/// Whatever is known of the pods, each value is one that Kubernetes reads.
private func check(_ table: SignalTable, _ now: Nanoseconds) {
    let namespaces = Set(table.entries.values.map(\.pod.namespace))
    for signal in PodSignal.allCases {
        for namespace in namespaces {
            let found = (try? table.values(of: signal, in: namespace, name: nil, .all, now: now)) ?? []
            for one in found { check(one.value.value, one.value.windowSeconds) }
            if let all = try? table.combined(signal, in: namespace, .all, now: now) {
                check(all.value, all.windowSeconds)
            }
        }
        for service in table.services.values {
            let found = try? table.value(of: signal, ofService: service.name, in: service.namespace, now: now)
            if let found { check(found.value, found.windowSeconds) }
        }
    }
    precondition(table.missing(now: now).count <= table.readyCount, "more are missing than are ready")
}

private func check(_ value: Double, _ window: Int64?) {
    precondition(window ?? 1 > 0, "a window without time")
    guard let quantity = Quantity(value) else { preconditionFailure("no quantity") }
    let text = quantity.description
    precondition(text.utf8.allSatisfy { (0x30...0x39).contains($0) || $0 == UInt8(ascii: "m") }, "not canonical")
}

/// What else comes from the cluster, and from those who ask.
private func checkTexts(_ bytes: [UInt8]) {
    do throws(FrontProxy.Fault) {
        let proxy = try FrontProxy(configMap: bytes)
        precondition(!proxy.authorities.isEmpty, "nobody signs")
        precondition(!proxy.admits(subject: nil, field: { _ in "admin" }), "a stranger is admitted")
    } catch {
        precondition(!error.description.isEmpty, "a fault without words")
    }
    let text = String(decoding: bytes, as: UTF8.self)
    if let name = CommonName.of(text) { precondition(text.contains("CN="), "a name from nowhere: \(name)") }
    if let selector = LabelSelector(parsing: text) {
        precondition(LabelSelector.all.selects([:]), "all selects everything")
        _ = selector.selects(["app": "orders", "tier": "7"])
    }
    _ = ServingSecret(parsing: bytes, host: "weir-metrics-adapter.shop.svc", now: 0)
    _ = APIServiceBundle(parsing: bytes)?.change(to: [])
}
