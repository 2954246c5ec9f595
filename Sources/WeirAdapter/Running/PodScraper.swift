// SPDX-License-Identifier: Apache-2.0
// Asks each pod's admin port for its signals, again and again. Confined to the adapter's loop.

import Logging
import WeirEventLoop
import WeirUpstream

/// Keeps the table's samples new.
final class PodScraper {
    /// A pod that is asked, over a connection that is kept.
    private final class Target {
        enum Phase {
            case idle
            /// Waits for its turn.
            case due
            case asking
        }

        var pod: WatchedPod
        let address: SocketAddress
        let request: [UInt8]
        let client: FetchClient
        var phase = Phase.idle
        /// Why the last answer did not come; nil where it did.
        var fault: String?

        init(_ pod: WatchedPod, at address: SocketAddress, on loop: EventLoop, timeout: Nanoseconds) {
            self.pod = pod
            self.address = address
            request = Array("GET /queue HTTP/1.1\r\nHost: \(address)\r\nUser-Agent: weir\r\n\r\n".utf8)
            client = FetchClient(
                on: loop,
                field: "retry-after",
                bodyBytesMax: QueueReading.bytesMax,
                connectTimeout: timeout
            )
        }
    }

    /// The most pods that a line of the log names.
    private static let namesMax = 5

    private let loop: EventLoop
    private let state: AdapterState
    private let settings: AdapterSettings
    private let logger: Logger
    /// Unix time.
    private let wallSecond: () -> Int64
    private var targets: [String: Target] = [:]
    private var due: [Target] = []
    private var askingCount = 0
    /// Within `askNext`: what fails at once comes back to it.
    private var isAskingNext = false
    private var isRunning = false
    private var missing: [String] = []
    private lazy var timer = LoopTimer { [unowned self] _ in tick() }

    init(
        on loop: EventLoop,
        _ state: AdapterState,
        _ settings: AdapterSettings,
        _ logger: Logger,
        wallSecond: @escaping () -> Int64
    ) {
        self.loop = loop
        self.state = state
        self.settings = settings
        self.logger = logger
        self.wallSecond = wallSecond
    }

    func start() {
        isRunning = true
        tick()
    }

    func stop() {
        isRunning = false
        loop.cancel(timer)
        for target in targets.values { target.client.close() }
        targets = [:]
        due = []
    }

    /// These are the pods from now on: those that are new are asked at once.
    func follow(_ pods: [WatchedPod]) {
        var former = targets
        targets = [:]
        var hasNew = false
        for pod in pods {
            let port = pod.adminPort ?? UInt16(settings.adminPort)
            guard let host = pod.host, let address = SocketAddress(host: host, port: port) else { continue }
            if let present = former[pod.key], present.address == address, present.pod.uid == pod.uid {
                present.pod = pod
                targets[pod.key] = present
                former[pod.key] = nil
            } else {
                let timeout = settings.timeout.nanosecondsClamped
                let target = Target(pod, at: address, on: loop, timeout: timeout)
                targets[pod.key] = target
                enqueue(target)
                hasNew = true
            }
        }
        for gone in former.values {
            if gone.phase == .asking { askingCount -= 1 }
            gone.client.close()
        }
        due.removeAll { targets[$0.pod.key] !== $0 }
        if hasNew || !due.isEmpty { askNext() }
    }

    private func tick() {
        guard isRunning else { return }
        for target in targets.values where target.phase == .idle { enqueue(target) }
        askNext()
        review()
        loop.schedule(timer, at: loop.now &+ settings.interval.nanosecondsClamped)
    }

    private func enqueue(_ target: Target) {
        target.phase = .due
        due.append(target)
    }

    private func askNext() {
        guard !isAskingNext else { return }
        isAskingNext = true
        defer { isAskingNext = false }
        while isRunning, askingCount < settings.concurrency, !due.isEmpty {
            let target = due.removeFirst()
            target.phase = .asking
            askingCount += 1
            target.client.get(
                target.request,
                from: target.address,
                timeout: settings.timeout.nanosecondsClamped
            ) { [weak self, weak target] answer in
                guard let self, let target else { return }
                take(answer, of: target)
            }
        }
    }

    private func take(_ answer: Result<FetchClient.Answer, FetchFault>, of target: Target) {
        guard isRunning, targets[target.pod.key] === target else { return }
        target.phase = .idle
        askingCount -= 1
        defer { askNext() }
        switch answer {
        case .failure(let fault): return failed(target, fault.description)
        case .success(let answer) where answer.status != 200: return failed(target, "it answers \(answer.status)")
        case .success(let answer):
            guard let reading = QueueReading(parsing: answer.body) else {
                return failed(target, "its answer to /queue is none of a pod with Weir")
            }
            target.fault = nil
            let sample = PodSample(reading, at: loop.clock.now, second: wallSecond())
            state.changeTable { $0.add(sample, of: target.pod.key, uid: target.pod.uid) }
            state.count { $0.answered &+= 1 }
        }
    }

    private func failed(_ target: Target, _ reason: String) {
        target.fault = "\(target.address): \(reason)"
        state.count { $0.failed &+= 1 }
    }

    /// Says which pods are missing, once for each change.
    private func review() {
        let missing = state.table.missing(now: loop.now)
        state.count { $0.missing = missing.count }
        let keys = missing.map(\.key)
        guard keys != self.missing else { return }
        self.missing = keys
        guard !missing.isEmpty else { return logger.notice("all pods that are ready answer again") }
        let shown = missing.prefix(Self.namesMax).map { pod in
            "\(pod.key) (\(targets[pod.key]?.fault ?? "it has no address"))"
        }
        logger.warning(
            "pods do not answer; they are missing from what is answered",
            metadata: [
                "count": .stringConvertible(missing.count), "of": .stringConvertible(state.table.readyCount),
                "pods": .string(shown.joined(separator: ", ").escapedForLog),
            ]
        )
    }
}

extension String {
    /// Without control characters.
    var escapedForLog: String { String(unicodeScalars.map { $0.value < 0x20 ? " " : Character($0) }) }
}
