// SPDX-License-Identifier: Apache-2.0
// An app whose places are taken until a test gives them free.

import Testing
import Weir

/// Routes that hold a place for as long as a test wants.
struct Hold: Sendable {
    let gate = Gate()

    /// Declares `/hold`, whose handler waits on a worker, whatever its request's deadline says.
    func declare(on app: some RouteCollection, _ options: [RouteOption] = []) {
        app.handle(.workers, "/hold", options) { [gate] _, _ in
            gate.pass()
            return .text("held")
        }
    }
}

/// An app where so many run and so many wait, and `/hold` takes a place.
func makeHeldApp(limit: Int = 1, queue: Int = 16, _ hold: Hold, _ change: (inout Settings) -> Void = { _ in }) -> App {
    let app = makeApp {
        $0.admission.concurrency = .exactly(limit)
        $0.admission.queueMax = .exactly(queue)
        change(&$0)
    }
    hold.declare(on: app)
    return app
}

extension TestClient {
    /// The pod's pool.
    var pod: PoolState { pools[0] }

    func untilExecuting(_ count: Int) async -> Bool { await eventuallyTrue { pod.executing == count } }

    func untilQueued(_ count: Int) async -> Bool { await eventuallyTrue { pod.queued == count } }

    /// Whether every place was given back, and nobody waits.
    func untilQuiet() async -> Bool {
        await eventuallyTrue { pools.allSatisfy { $0.executing == 0 && $0.queued == 0 } && executingCount == 0 }
    }

    func raw(on loop: Int = 0) throws -> RawClient { RawClient(descriptor: try connect(on: loop)) }
}
