// SPDX-License-Identifier: Apache-2.0
// The back end of swift-log: joins an event's metadata and gives it to the App's log. Any thread.

package import Logging

/// Writes log events as JSON or text lines.
///
/// Metadata of an event overrides the provider's, which overrides the logger's. Keys are sorted.
package struct WeirLogHandler: LogHandler {
    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?
    package var logLevel: Logger.Level {
        get { ownLevel ?? threshold.level }
        set { ownLevel = newValue }
    }

    /// What whoever holds this logger has set for it alone.
    private var ownLevel: Logger.Level?
    private let threshold: LogThreshold
    private let label: String
    private let output: LogOutput
    private let now: @Sendable () -> LogTimestamp

    /// Creates a handler.
    ///
    /// - Parameters:
    ///   - label: the logger's name, shown as `logger`.
    ///   - level: the least level that is logged.
    ///   - now: the clock, for tests.
    package init(
        label: String,
        level: Logger.Level,
        format: Settings.LogFormat,
        writer: LogWriter,
        now: @escaping @Sendable () -> LogTimestamp = LogTimestamp.now
    ) {
        self.init(label: label, threshold: LogThreshold(level), output: .lines(writer, format), now: now)
    }

    init(
        label: String,
        threshold: LogThreshold,
        output: LogOutput,
        now: @escaping @Sendable () -> LogTimestamp = LogTimestamp.now
    ) {
        self.label = label
        self.threshold = threshold
        self.output = output
        self.now = now
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        output.write(
            LogLine(
                time: now(),
                level: event.level,
                logger: label,
                message: event.message.description,
                fields: fields(of: event)
            )
        )
    }

    private func fields(of event: LogEvent) -> [(key: String, value: Logger.Metadata.Value)] {
        var fields = metadata
        if let provided = metadataProvider?.get() { fields.merge(provided) { $1 } }
        if let own = event.metadata { fields.merge(own) { $1 } }
        if let error = event.error, fields["error"] == nil { fields["error"] = "\(error)" }
        return fields.sorted { $0.key < $1.key }
    }
}
