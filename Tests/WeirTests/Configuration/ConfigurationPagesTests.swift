// SPDX-License-Identifier: Apache-2.0
// What is written about the file is what the code says: the reference, the schema, the examples.

import FoundationEssentials
import Testing
import Weir
import WeirTestSupport
import WeirYAML

@Suite struct ConfigurationPagesTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../..")

    private static func text(_ path: String) throws -> String {
        try String(contentsOf: root.appending(path: path), encoding: .utf8)
    }

    static let examples = ["shop.yaml", "sidecar.yaml", "maintenance.json"]

    @Test func `docs/configuration.md ends with the reference of the file`() throws {
        let page = try Self.text("docs/configuration.md")
        let reference = ConfigurationReference.text
        #expect(page.hasSuffix("\n\n" + reference), "docs/configuration.md should end with:\n\(reference)")
    }

    @Test func `docs/weir.schema.json is what weir schema prints`() throws {
        #expect(try Self.text("docs/weir.schema.json") == ConfigurationSchema.text)
    }

    @Test func `no setting has the name of a section`() {
        for setting in Settings.table {
            for section in ["UPSTREAMS", "POOLS", "ROUTES"] { #expect(!setting.name.hasPrefix("WEIR_\(section)")) }
        }
    }

    @Test(arguments: examples)
    func `an example is right`(name: String) throws {
        let configuration = try GatewayConfiguration(Self.text("Examples/gateway/\(name)"))
        #expect(!configuration.routes.isEmpty)
    }

    @Test func `every example is tested`() throws {
        let folder = Self.root.appending(path: "Examples/gateway").path()
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder).sorted() == Self.examples.sorted())
    }

    @Test(arguments: 0..<20 as Range<UInt64>)
    func `an example with a few wrong bytes is right, or wrong in one line`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let text = Array(try Self.text("Examples/gateway/shop.yaml").utf8)
        for _ in 0..<30 {
            var mutated = text
            for _ in 0..<(1 + random.below(3)) {
                let place = random.below(mutated.count)
                // Most often a byte of the file itself, so that YAML stays YAML.
                mutated[place] =
                    random.oneIn(4) ? UInt8(truncatingIfNeeded: random.next()) : text[random.below(text.count)]
            }
            guard let root = try? YAMLReader.read(mutated) else { continue }
            do throws(SettingsError) {
                let document = ConfigurationDocument(file: "weir.yaml", root: root)
                _ = try GatewayConfiguration(environment: [:], document: document)
            } catch {
                #expect(error.description.hasPrefix("weir.yaml:"))
                #expect(!error.description.contains { $0.isNewline })
            }
        }
    }
}
