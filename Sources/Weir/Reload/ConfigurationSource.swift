// SPDX-License-Identifier: Apache-2.0
// Where an app's configuration is read anew. A value.

package import WeirEventLoop

/// A configuration file, and how it is read.
package struct ConfigurationSource: Sendable {
    /// What is watched for changes.
    package let file: String
    /// Of the file that the app was made from, taken before it was read; nil where there was none.
    package let version: FileVersion?
    /// Reads and checks everything; has no effect besides. It may block, and is called on one thread at a time.
    package let load: @Sendable () throws(SettingsError) -> GatewayConfiguration

    package init(
        file: String,
        version: FileVersion?,
        load: @escaping @Sendable () throws(SettingsError) -> GatewayConfiguration
    ) {
        self.file = file
        self.version = version
        self.load = load
    }
}

extension App {
    /// Has the app take over what `source` says when its file changes, at SIGHUP, and when `POST /reload` asks for it.
    package func reload(from source: ConfigurationSource) {
        declare("a source of configurations") { $0.source = source }
    }
}
