// SPDX-License-Identifier: Apache-2.0
// Reads the environment and the YAML file that it names, whole, into a checked configuration. Any thread; blocks on the file.

import Glibc
package import Weir
import WeirDocument
import WeirYAML

extension GatewayConfiguration {
    /// Everything that `environment` says, with the file of `WEIR_CONFIG`. Reads the file anew each time, so a reload is
    /// another call.
    ///
    /// - Throws: `SettingsError` for the first fault, which is one line for people.
    package static func load(_ environment: [String: String]) throws(SettingsError) -> GatewayConfiguration {
        try GatewayConfiguration(environment: environment, document: ConfigurationFile.document(of: environment))
    }
}

/// The file of `WEIR_CONFIG`.
enum ConfigurationFile {
    private static let variable = "WEIR_CONFIG"

    /// Its tree; nil where the variable is not set.
    static func document(of environment: [String: String]) throws(SettingsError) -> ConfigurationDocument? {
        // The setting's own form: without blanks around it, and a path.
        let path = try Settings(environment: environment.filter { $0.key == variable }).configurationFile
        if path.isEmpty { return nil }
        let text = try bytes(of: path)
        do throws(YAMLFault) {
            if let root = try YAMLReader.read(text) { return ConfigurationDocument(file: path, root: root) }
        } catch {
            throw .inFile(
                file: path,
                line: error.position.line,
                column: error.position.column,
                field: "",
                reason: error.description
            )
        }
        // A file that was cut off, or is still to be written, must not take all routes away.
        throw .inFile(
            file: path,
            line: 1,
            column: 1,
            field: "",
            reason: "the file is empty; expected a mapping, {} to say nothing"
        )
    }

    /// As much of the file as a reader takes, and one byte more where there is more.
    private static func bytes(of path: String) throws(SettingsError) -> [UInt8] {
        // Without O_NONBLOCK, opening a pipe would wait for its writer.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw unreadable(path, String(cString: strerror(errno))) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw unreadable(path, String(cString: strerror(errno))) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw unreadable(path, "not a regular file") }
        var bytes: [UInt8] = []
        while bytes.count <= YAMLReader.bytesMax {
            var chunk = [UInt8](repeating: 0, count: 64 << 10)
            let count = read(descriptor, &chunk, min(chunk.count, YAMLReader.bytesMax + 1 - bytes.count))
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw unreadable(path, String(cString: strerror(errno))) }
            if count == 0 { break }
            bytes += chunk[..<count]
        }
        return bytes
    }

    private static func unreadable(_ path: String, _ reason: String) -> SettingsError {
        .refused(name: variable, value: path, reason: "the file cannot be read: \(reason)")
    }
}
