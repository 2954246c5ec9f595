// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirAdapter

@Suite struct LabelSelectorTests {
    private static let labels = ["app": "orders", "tier": "web", "weir.dev/metrics": "true", "size": "7", "empty": ""]

    @Test(
        arguments: [
            ("", true), (" ", true), ("app=orders", true), ("app==orders", true), ("app = orders", true),
            ("app=web", false), ("app!=web", true), ("app!=orders", false), ("none!=web", true), ("app", true),
            ("none", false), ("!none", true), ("! none", true), ("!app", false), ("weir.dev/metrics=true", true),
            ("tier in (web, api)", true), ("tier in (api)", false), ("none in (web)", false),
            ("tier notin (api,db)", true), ("tier notin (web)", false), ("none notin (web)", true), ("size>6", true),
            ("size > 7", false), ("size<8", true), ("app>1", false), ("empty=", true), ("empty in ()", true),
            ("app=orders,tier in (web,api),!none,size>1", true), ("app=orders,tier in (web,api),none", false),
        ]
    )
    func `a selector means those whose labels fit`(text: String, fits: Bool) throws {
        #expect(try #require(LabelSelector(parsing: text)).selects(Self.labels) == fits)
    }

    @Test(
        arguments: [
            "a b", ",", "app=orders,", "=orders", "app=or ders", "in (a)", "app in", "app in a", "app within (a)",
            "app=a=b", "a/b/c=d", "/a=b", "app=-a", "-app", "!", "size>", "size>big", "app in (a", "tier in (a b)",
            String(repeating: "a", count: 64), String(repeating: "a=b,", count: 2000),
        ]
    )
    func `what is no selector is none`(text: String) {
        #expect(LabelSelector(parsing: text) == nil)
    }

    @Test func `a Service means those that have all of its labels`() {
        let selector = LabelSelector(equal: ["app": "orders", "tier": "web"])
        #expect(selector.selects(Self.labels))
        #expect(!selector.selects(["app": "orders"]))
    }
}
