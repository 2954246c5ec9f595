// SPDX-License-Identifier: Apache-2.0
// The whole engine over a poller without a kernel: what makes instruction counts exact.

import Logging
import WeirEventLoop

extension App {
    /// Runs the app's engine on the calling thread over a ``ReplayPoller``: `connections` connections each receive
    /// `script` `rounds` times. Answers how many bytes were sent back.
    ///
    /// The clock stands still, so nothing depends on how long it takes. What is not answered as it should be is a mistake of
    /// the caller's, and ends the process.
    /// - Parameters:
    ///   - answer: what the endpoints of the app's upstreams send for each request; empty where there are none.
    ///   - isRefused: whether the answers, but for the first, are to be 429.
    package func replay(_ script: [UInt8], rounds: Int, connections: Int, answer: [UInt8] = [], isRefused: Bool = false)
        throws -> Int
    {
        var settings = settings
        settings.limits.requestsPerConnection = .max
        let hold = hold()
        let flow = FlowControl(settings, cpus: 1, loopsMax: 1, now: 0)
        let draft = flow.draft(settings, now: 0)
        let directory = UpstreamDirectory()
        let routes = hold.routes(configuration)
        let upstreams = directory.drafts(try routes.upstreamPlans(settings))
        let snapshot = try hold.snapshot(of: routes, settings, upstreams: upstreams, flow: draft)
        flow.commit(draft, now: 0)
        directory.publish(upstreams)
        var sentByteCount = 0
        let poller = ReplayPoller(script: script, rounds: rounds, answer: answer) { bytes in
            sentByteCount += bytes.count
            precondition(bytes.count > 11, "an answer has no status")
            // 429, of which the first is within the limit, or 2xx.
            let isFirst = sentByteCount == bytes.count
            let isWanted = isRefused && !isFirst ? bytes[9] == 0x34 && bytes[11] == 0x39 : bytes[9] == 0x32
            precondition(isWanted, "an answer has another status")
        }
        // Its thread does not run, so that the loop's part alone is counted; with a ring that holds all, as the path of
        // a record that is dropped is shorter.
        let ringBytes = settings.accessLogBufferBytes.resolved(automatic: 1 << 20)
        let accessLog = try AccessLog.open(settings, loops: 1, ringBytes: ringBytes)
        let workers = WorkerPool(workersMin: 0, workersMax: 1, queueMax: 1, idle: 0)
        let server = try HTTPServer(
            HTTPServer.Plan(
                name: "replay",
                loopCount: 1,
                listen: [],
                connectionsMax: .max,
                descriptorsHigh: .max,
                descriptorsMax: .max,
                settings: settings,
                pinsLoops: false,
                clock: .manual(ManualClock()),
                poller: .replay(Unmanaged.passUnretained(poller)),
                accessLog: accessLog,
                flow: flow
            ),
            snapshot: snapshot,
            workers: workers,
            logger: logger ?? Logger(label: "weir.replay") { _ in SwiftLogNoOpLogHandler() }
        )
        let loop = server.loops[0]
        for index in 0..<connections { server.adopt(Self.noDescriptor - Int32(index)) }
        poller.finished = { loop.stop() }
        withExtendedLifetime((poller, hold)) { loop.run() }
        precondition(poller.roundsLeft == 0, "a client waits for an answer")
        precondition(accessLog?.droppedLines ?? 0 == 0, "the access log's ring is too small for this run")
        return sentByteCount
    }

    /// Descriptors that do not exist, so that closing one closes nothing.
    private static var noDescriptor: Int32 { -2 }
}
