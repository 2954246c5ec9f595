// SPDX-License-Identifier: Apache-2.0

import Glibc
import Testing
import WeirSystemd

@Suite struct ServiceNotifierTests {
    @Test func `without NOTIFY_SOCKET there is nobody to tell`() {
        #expect(ServiceNotifier { _ in nil } == nil)
    }

    @Test func `a life is told in its order, each state once, and nothing after the end`() async {
        await #expect(processExitsWith: .success) {
            let manager = try FakeManager()
            let notifier = try #require(ServiceNotifier())
            #expect(notifier.extendTimeout(.milliseconds(1500)))
            #expect(!notifier.reloading(), "nothing is reloaded before it is ready")
            #expect(notifier.ready(status: "Serving"))
            #expect(!notifier.ready(status: "Serving"), "READY is told once")
            #expect(notifier.watchdog())
            #expect(notifier.reloading())
            #expect(!notifier.reloading())
            #expect(notifier.ready(status: "Serving again"))
            #expect(notifier.stopping(status: "Draining"))
            #expect(!notifier.stopping(status: "Draining"), "STOPPING is told once")
            #expect(!notifier.ready(status: "Serving"))
            #expect(!notifier.reloading())
            #expect(notifier.status("Draining 1 connection"))
            notifier.end()
            #expect(!notifier.status("late"))
            #expect(!notifier.watchdog())
            #expect(!notifier.extendTimeout(.seconds(1)))
            #expect(!notifier.stopping(status: "late"))

            try #expect(manager.next() == "EXTEND_TIMEOUT_USEC=1500000")
            try #expect(manager.next() == "READY=1\nSTATUS=Serving")
            try #expect(manager.next() == "WATCHDOG=1")
            let reload = try manager.next()
            #expect(reload.hasPrefix("RELOADING=1\nMONOTONIC_USEC="))
            #expect(Int(reload.split(separator: "=").last ?? "") ?? 0 > 0)
            try #expect(manager.next() == "READY=1\nSTATUS=Serving again")
            try #expect(manager.next() == "STOPPING=1\nSTATUS=Draining")
            try #expect(manager.next() == "STATUS=Draining 1 connection")
            #expect(manager.rest.isEmpty)
            #expect(getenv("NOTIFY_SOCKET") != nil, "the environment stays as it is")
        }
    }

    @Test func `a status cannot hold another assignment`() async {
        await #expect(processExitsWith: .success) {
            let manager = try FakeManager()
            let notifier = try #require(ServiceNotifier())
            #expect(notifier.status("a\nREADY=1\r\nb"))
            try #expect(manager.next() == "STATUS=a READY=1  b")
        }
    }

    @Test func `a manager that is gone is no crash`() async {
        await #expect(processExitsWith: .success) {
            setenv("NOTIFY_SOCKET", "@weir-nobody-is-here", 1)
            let notifier = try #require(ServiceNotifier())
            #expect(!notifier.ready(status: "Serving"))
            #expect(!notifier.stopping(status: "Draining"))
        }
    }
}
