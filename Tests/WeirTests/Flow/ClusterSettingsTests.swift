// SPDX-License-Identifier: Apache-2.0
// Settings of limits for the cluster that cannot be: each is refused at start, by its name and with what would be right.

import Testing
import Weir

@Suite struct ClusterSettingsTests {
    private static let cluster = ["WEIR_RATE_LIMIT_SCOPE": "cluster"]

    @Test(arguments: [
        (["WEIR_REDIS": "redis://weir:hush@h"], "WEIR_REDIS=\"redis://***@h\" with WEIR_RATE_LIMIT_SCOPE=\"pod\""),
        (["WEIR_REDIS": "redis://weir:hu sh@h"], "WEIR_REDIS=\"redis://***@h\": expected redis://host:6379"),
        (["WEIR_REDIS_BUDGET": "2s"], "WEIR_REDIS_BUDGET=\"2s\": expected a duration"),
        (
            ["WEIR_RATE_LIMIT_SCOPE": "cluster", "WEIR_RATE_LIMIT": "9/s,5/s;by=client"],
            "WEIR_RATE_LIMIT=\"5/s;by=client\": a limit by key of the cluster"
        ),
        (
            [
                "WEIR_RATE_LIMIT_SCOPE": "cluster", "WEIR_REDIS": "redis://h",
                "WEIR_RATE_LIMIT": "9/s, 5/1s ;algorithm=sliding-window",
            ], "WEIR_RATE_LIMIT=\"5/1s ;algorithm=sliding-window\": Redis counts limits of the cluster by GCRA"
        ),
        (
            ["WEIR_RATE_LIMIT_SCOPE": "cluster", "WEIR_REDIS": "redis://h", "WEIR_RATE_LIMIT": "1/d;burst=60"],
            "Redis counts no burst of the cluster that takes more than 52d"
        ),
    ])
    func `a setting that cannot be is refused`(_ environment: [String: String], _ text: String) {
        do throws(SettingsError) {
            _ = try Settings(environment: environment)
            Issue.record("it was taken")
        } catch {
            #expect(error.description.contains(text))
            #expect(!error.description.contains("hush"))
        }
    }

    @Test(arguments: [
        ["WEIR_RATE_LIMIT": "5/s;by=client"],
        ["WEIR_RATE_LIMIT": "5/s;algorithm=sliding-window", "WEIR_RATE_LIMIT_SCOPE": "cluster"],
        ["WEIR_RATE_LIMIT": "5/s;by=client", "WEIR_RATE_LIMIT_SCOPE": "cluster", "WEIR_REDIS": "unix:/run/redis"],
    ])
    func `others are taken`(_ environment: [String: String]) throws {
        try Settings(environment: environment).validate()
    }

    private static func app(_ environment: [String: String]) throws -> App {
        App(settings: try Settings(environment: environment))
    }

    @Test func `a process without a store says what to import`() throws {
        let environment = Self.cluster.merging(["WEIR_REDIS": "redis://:hush@h"]) { $1 }
        let app = try Self.app(environment)
        let error = #expect(throws: AppError.self) { try app.validate() }
        #expect(error?.description.contains("import WeirRedis") == true)
        #expect(error?.description.contains("hush") == false)
        app.countLimits(in: FakeStore().store)
        try app.validate()
    }

    @Test func `a place that the store does not know is refused by the store's reason`() throws {
        let app = try Self.app(Self.cluster.merging(["WEIR_REDIS": "memcached://:hush@h"]) { $1 })
        app.countLimits(in: FakeStore().store)
        let error = #expect(throws: AppError.self) { try app.validate() }
        #expect(error?.description.contains("WEIR_REDIS=\"memcached://***@h\": no place of this store") == true)
    }

    @Test func `a route's limit that cannot be the cluster's is named with its route`() throws {
        let app = try Self.app(Self.cluster)
        app.get("/a", .limit(.gcra(.perSecond(5)), by: .client), on: .loop) { _, _ in .text("") }
        let error = #expect(throws: AppError.self) { try app.validate() }
        #expect(error?.description.contains("route GET /a") == true)
        #expect(error?.description.contains("needs WEIR_REDIS=redis://host:6379") == true)
    }

    @Test func `the user and the password are shown to nobody`() throws {
        let settings = try Settings(
            environment: Self.cluster.merging(["WEIR_REDIS": "redis://weir:hush@h:6379/2"]) { $1 }
        )
        let page = String(decoding: ConfigurationPage.json(settings), as: UTF8.self)
        #expect(page.contains("redis:\\/\\/***@h:6379\\/2") || page.contains("redis://***@h:6379/2"))
        #expect(!page.contains("hush"))
    }
}
