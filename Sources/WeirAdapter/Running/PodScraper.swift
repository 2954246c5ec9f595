// SPDX-License-Identifier: Apache-2.0
// Asks each pod's admin port for its signals, again and again. Confined to the adapter's loop.

import Logging
import WeirEventLoop
import WeirTLS
import WeirUpstream

/// Keeps the table's samples new.
final class PodScraper {
    /// The most pods that a line of the log names.
    private static let namesMax = 5

    private let loop: EventLoop
    private let state: AdapterState
    private let settings: AdapterSettings
    private let tls: PodTLS
    private let logger: Logger
    /// Unix time.
    private let wallSecond: () -> Int64
    private var targets: [String: ScrapeTarget] = [:]
    /// Those that have answered before those that have not: what waits for a time-out takes no pod's turn.
    private var due = ScrapeQueue()
    private var dueFailing = ScrapeQueue()
    private var askingCount = 0
    private var askingFailingCount = 0
    /// Within `askNext`: what fails at once comes back to it.
    private var isAskingNext = false
    private var isRunning = false
    private var missing: [String] = []
    private lazy var timer = LoopTimer { [unowned self] _ in tick() }

    init(
        on loop: EventLoop,
        _ state: AdapterState,
        _ settings: AdapterSettings,
        _ tls: PodTLS,
        _ logger: Logger,
        wallSecond: @escaping () -> Int64
    ) {
        self.loop = loop
        self.state = state
        self.settings = settings
        self.tls = tls
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
        due = ScrapeQueue()
        dueFailing = ScrapeQueue()
    }

    /// These are the pods from now on: those that are new are asked at once.
    func follow(_ pods: [WatchedPod]) {
        var former = targets
        targets = [:]
        for pod in pods {
            let port = pod.adminPort ?? UInt16(settings.adminPort)
            guard let host = pod.host, let address = SocketAddress(host: host, port: port) else { continue }
            if let present = former[pod.key], present.address == address, present.pod.uid == pod.uid,
                present.pod.isSecure == pod.isSecure
            {
                present.pod = pod
                targets[pod.key] = present
                former[pod.key] = nil
            } else {
                let timeout = settings.timeout.nanosecondsClamped
                let target = ScrapeTarget(pod, host, at: address, on: loop, timeout: timeout)
                targets[pod.key] = target
                enqueue(target)
            }
        }
        for gone in former.values {
            noteEnd(of: gone)
            gone.client.close()
        }
        let isGone = { [targets] (target: ScrapeTarget) in targets[target.pod.key] !== target }
        due.remove(where: isGone)
        dueFailing.remove(where: isGone)
        askNext()
    }

    private func tick() {
        guard isRunning else { return }
        for target in targets.values where target.phase == .idle { enqueue(target) }
        askNext()
        review()
        loop.schedule(timer, at: loop.now &+ settings.interval.nanosecondsClamped)
    }

    private func enqueue(_ target: ScrapeTarget) {
        target.phase = .due
        if target.fault == nil { due.append(target) } else { dueFailing.append(target) }
    }

    private func askNext() {
        guard !isAskingNext else { return }
        isAskingNext = true
        defer { isAskingNext = false }
        while isRunning, askingCount < settings.concurrency, let target = nextDue() {
            if let fault = secure(target) {
                target.phase = .idle
                failed(target, fault)
                continue
            }
            target.phase = target.fault == nil ? .asking : .askingFailing
            askingCount += 1
            if target.phase == .askingFailing { askingFailingCount += 1 }
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

    /// Whom a new connection is to find; nil, or why that is not known.
    private func secure(_ target: ScrapeTarget) -> String? {
        guard target.pod.isSecure, !target.client.isConnected else { return nil }
        do throws(TLSError) {
            target.client.tls = try tls.target(to: target.host)
            return nil
        } catch {
            return error.description
        }
    }

    /// Those that fail have half of the places.
    private func nextDue() -> ScrapeTarget? {
        if let target = due.next() { return target }
        return askingFailingCount < max(1, settings.concurrency / 2) ? dueFailing.next() : nil
    }

    /// Nothing of it is on its way any more.
    private func noteEnd(of target: ScrapeTarget) {
        switch target.phase {
        case .asking: askingCount -= 1
        case .askingFailing:
            askingCount -= 1
            askingFailingCount -= 1
        case .idle, .due: break
        }
        target.phase = .idle
    }

    private func take(_ answer: Result<FetchClient.Answer, FetchFault>, of target: ScrapeTarget) {
        guard isRunning, targets[target.pod.key] === target else { return }
        noteEnd(of: target)
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

    private func failed(_ target: ScrapeTarget, _ reason: String) {
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
