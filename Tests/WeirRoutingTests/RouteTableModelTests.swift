// SPDX-License-Identifier: Apache-2.0
// The table against the model router, on random routes and requests.

import Testing
import WeirRouting
import WeirTestSupport

@Suite struct RouteTableModelTests {
    static let patternPieces = ["a", "b", "ab", "a%62c", "", "abcdefghij", ".a", "%25", "caf%C3%A9", "A"]
    static let pathPieces =
        patternPieces + [
            "a", "b", "ab", "%61", "a%62", ".", "..", "%2e", ".%2E", "...", "x", "abcdefghijk", "%2561", "%C3%A9",
        ]
    static let badPieces = ["%2F", "%5c", "%00", "%", "%zz", "\\", "\u{1}", "%7f"]
    static let hosts: [String?] = [nil, nil, nil, "x.y", "*.y", "*.x.y", "z"]
    static let authorities = ["", "x.y", "X.Y:80", "a.x.y", "b.a.X.y.", "q.y", "y", "z", "z.:1", ".y", "other"]

    @Test(
        "the table answers as the model does, on random routes and paths",
        arguments: [UInt64.random(in: 0...UInt64.max), 1, 2, 3]
    )
    func agreesWithModel(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var found = 0
        for _ in 0..<150 {
            let (table, model) = try Self.routers(&random)
            for _ in 0..<40 {
                let path = Self.path(&random)
                let method = UInt8.random(in: 0...9, using: &random)
                let host = Self.authorities.randomElement(using: &random) ?? ""
                let lookup = Lookup(table, method, host: host, path: Array(path.utf8))
                let expected = model.answer(method, host: host, path: Array(path.utf8))
                found += expected.kind == .found ? 1 : 0
                guard lookup.answer == expected else {
                    Issue.record(
                        """
                        seed \(seed), method \(method), host "\(host)", path "\(path)"
                        table: \(lookup.answer)
                        model: \(expected)
                        routes: \(model.routes)
                        """
                    )
                    return
                }
            }
        }
        #expect(found > 500, "seed \(seed): too few hits to mean anything")
    }

    /// The same random routes in a table and in a model; both refuse the same ones.
    private static func routers(_ random: inout SeededGenerator) throws -> (RouteTable, ModelRouter) {
        var builder = RouteTableBuilder()
        var model = ModelRouter()
        for number in 0..<Int.random(in: 1...40, using: &random) {
            let pattern = Self.pattern(&random)
            let host = hosts.randomElement(using: &random) ?? nil
            let methods = MethodSet(rawValue: UInt16.random(in: 1..<1024, using: &random))
                .intersection(MethodSet(rawValue: UInt16.random(in: 0..<1024, using: &random)))
            guard !methods.isEmpty else { continue }
            let isNew = model.add(methods, host: host, pattern: pattern, number: number)
            do throws(RoutingError) {
                try builder.add(methods, host: host, pattern: pattern, route: number)
                #expect(isNew, "\(pattern) was taken twice")
            } catch {
                guard case .duplicate = error else { throw error }
                #expect(!isNew, "\(pattern) was refused")
            }
        }
        return (builder.build(version: 1), model)
    }

    private static func pattern(_ random: inout SeededGenerator) -> String {
        var pattern = ""
        for depth in 0..<Int.random(in: 1...4, using: &random) {
            switch Int.random(in: 0..<8, using: &random) {
            case 0...2: pattern += "/:p\(depth)"
            case 3: return pattern + "/*rest"
            default:
                pattern +=
                    "/"
                    + (patternPieces.prefix(Int.random(in: 1...10, using: &random)).randomElement(using: &random) ?? "")
            }
        }
        return pattern
    }

    private static func path(_ random: inout SeededGenerator) -> String {
        var path = ""
        for _ in 0..<Int.random(in: 1...5, using: &random) {
            path +=
                "/" + (pathPieces.prefix(Int.random(in: 1...24, using: &random)).randomElement(using: &random) ?? "")
        }
        if Int.random(in: 0..<12, using: &random) == 0 { path += badPieces.randomElement(using: &random) ?? "" }
        return path
    }
}
