// SPDX-License-Identifier: Apache-2.0

import Testing
import Weir
import WeirHost

@Suite struct StartThreadsTests {
    @Test func `each engine, each loop and what else has a thread counts`() {
        var settings = Settings()
        settings.loops = .exactly(1)
        settings.workersMin = 0
        let least = StartThreads.count(settings, cpus: 1)
        #expect(StartThreads.count(settings, cpus: 1, engines: 2) == least + 4)
        settings.loops = .exactly(3)
        settings.workersMin = 5
        settings.accessLog = .standardOutput
        settings.configurationFile = "/weir.yaml"
        settings.adminListen = []
        #expect(StartThreads.count(settings, cpus: 1) == least + 2 + 5 + 1 + 1 - 1)
    }

    @Test func `a start that does not fit says what, where and what would be right, and ends with 69`() {
        let room = TaskRoom(file: "/sys/fs/cgroup/pids/pod/pids.max", current: 3, max: 8)
        let error = #expect(throws: AppError.self) { try StartThreads.check(6, in: room) }
        #expect(
            error?.description
                == "/sys/fs/cgroup/pids/pod/pids.max is 8 with 3 in use: a start makes 6 threads; let it be at least 9"
        )
        #expect(error?.exit == .unavailable)
    }

    @Test(arguments: [nil, TaskRoom(file: "", current: 3, max: 8), TaskRoom(file: "", current: 0, max: 5)])
    func `one that fits goes on`(room: TaskRoom?) throws {
        try StartThreads.check(5, in: room)
    }
}
