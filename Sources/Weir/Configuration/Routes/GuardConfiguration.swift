// SPDX-License-Identifier: Apache-2.0
// What a route does while it is slower than its baseline.

import WeirDocument

/// The live guard of a route.
package struct GuardConfiguration: Sendable, Equatable {
    /// What happens while it holds; at least one of them.
    package struct Degradation: Sendable, Equatable {
        /// Whether sheddable requests are turned away.
        package var shedsSheddable = false
        /// A shorter deadline.
        package var deadline: Duration?
        /// Another upstream.
        package var upstream: String?
    }

    package var factor = 2.5
    package var window: Duration = .seconds(15)
    package var windows = 3
    package var degradation = Degradation()
}

extension GuardConfiguration: ConfigurationObject {
    static let name = "guard"
    static let summary =
        "What a route does while the 95th percentile of its latency, its time in the queue or the growth "
        + "of memory is too far above its baseline; back by itself."

    static let fields: [ConfigurationField<Self>] = [
        ConfigurationField(
            "factor",
            \.factor,
            .value(.factor(thousandths: 1100...100_000)),
            "How many times the baseline is too far"
        ),
        ConfigurationField(
            "window",
            \.window,
            .value(.duration(.milliseconds(250) ... .seconds(600))),
            "Over what time each value is taken"
        ),
        ConfigurationField("windows", \.windows, .value(.number(1...100)), "So many windows in a row"),
        ConfigurationField("then", \.degradation, .object, "What happens", isRequired: true),
    ]

    package init(_ settings: Settings) {}
}

extension GuardConfiguration.Degradation: ConfigurationObject {
    static let name = "then"
    static let summary = "What happens while a guard holds; at least one of these."

    static let fields: [ConfigurationField<Self>] = [
        ConfigurationField("shed", \.shedsSheddable, .value(.flag), "`sheddable` requests are turned away"),
        ConfigurationField(
            "deadline",
            \.deadline,
            .optional(.value(.duration(.milliseconds(1) ... .seconds(3600)))),
            "The route's deadline is this; below its own"
        ),
        ConfigurationField(
            "upstream",
            \.upstream,
            .optional(.value(.name(of: "upstream"))),
            "Requests are passed on to this upstream"
        ),
    ]

    package init(_ settings: Settings) {}

    func check(_ node: DocumentNode, _ path: FieldPath, _ context: ReadingContext) throws(SettingsError) {
        if !shedsSheddable, deadline == nil, upstream == nil {
            throw context.document.fault(path, "expected shed: true, deadline or upstream")
        }
    }
}
