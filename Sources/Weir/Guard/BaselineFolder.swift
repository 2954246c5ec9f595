// SPDX-License-Identifier: Apache-2.0
// The folder of baselines, with a file for each version. Blocks: for the flow monitor's thread, the start and commands.

import FoundationEssentials
import Glibc
package import WeirFlow

/// Where baselines are kept: `FOLDER/VERSION.json`.
package struct BaselineFolder: Sendable {
    /// What is wrong with the folder, or with a file in it.
    package struct Failure: Error, Equatable, CustomStringConvertible {
        package let path: String
        package let reason: String

        package var description: String { "\(path): \(reason)" }

        static func system(_ path: String) -> Failure { Failure(path: path, reason: String(cString: strerror(errno))) }
    }

    /// The most bytes of a file.
    static let bytesMax = 4 << 20
    /// The most versions that are listed.
    private static let versionsMax = 1000
    private static let suffix = ".json"

    package let path: String

    package init(path: String) {
        self.path = path
    }

    /// The folder of these settings; nil where none is kept.
    package init?(_ settings: Settings) {
        guard !settings.baselineFolder.isEmpty else { return nil }
        self.init(path: settings.baselineFolder)
    }

    private func file(_ version: String) -> String { "\(path)/\(version)\(Self.suffix)" }

    // MARK: Reading

    /// The versions that there are files of, in the order of their names.
    package func versions() throws(Failure) -> [String] {
        guard let directory = opendir(path) else { throw .system(path) }
        defer { closedir(directory) }
        var versions: [String] = []
        while let entry = readdir(directory), versions.count < Self.versionsMax {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            let version = String(name.dropLast(Self.suffix.count))
            if name.hasSuffix(Self.suffix), ValueForm.version.parse(version) != nil { versions.append(version) }
        }
        return versions.sorted()
    }

    /// The baseline of a version; nil where there is no file.
    package func read(_ version: String) throws(Failure) -> Baseline? {
        let file = file(version)
        guard let bytes = try Self.bytes(of: file) else { return nil }
        do {
            let baseline = try JSONDecoder().decode(Baseline.self, from: Data(bytes))
            try baseline.validate()
            return baseline
        } catch let error as DecodingError {
            throw Failure(path: file, reason: BaselineError(error).description)
        } catch {
            throw Failure(path: file, reason: "\(error)")
        }
    }

    /// The baseline of a version.
    ///
    /// - Throws: where there is none, too.
    package func known(_ version: String) throws(Failure) -> Baseline {
        guard ValueForm.version.parse(version) != nil, let baseline = try read(version) else {
            throw Failure(path: path, reason: "there is no baseline of version \(version)")
        }
        // As a start does: a copy under another name would be compared with itself.
        guard baseline.version == version else {
            throw Failure(
                path: file(version),
                reason: "version is \(baseline.version.debugDescription) in the file of this version"
            )
        }
        return baseline
    }

    private static func bytes(of file: String) throws(Failure) -> [UInt8]? {
        // Without O_NONBLOCK, opening a pipe would wait for its writer.
        let descriptor = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw .system(file)
        }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while bytes.count <= bytesMax {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .system(file) }
            if count == 0 { return bytes }
            bytes += chunk[..<count]
        }
        throw Failure(path: file, reason: "it is larger than \(bytesMax) bytes")
    }

    // MARK: Writing

    /// Writes a baseline in place of its version's: another process sees the one or the other, and never a part.
    ///
    /// It is not forced onto the disk, which may take long: after a power failure what is usual is learnt again.
    package func write(_ baseline: Baseline) throws(Failure) {
        let file = file(baseline.version)
        let bytes = Array(BaselineReport.json(of: baseline).utf8)
        guard bytes.count <= Self.bytesMax else {
            throw Failure(path: file, reason: "it would be larger than \(Self.bytesMax) bytes")
        }
        // A name of its own: replicas may share the folder. It begins with a dot, so it is no version's.
        var template = Array("\(path)/.\(baseline.version).XXXXXX".utf8CString)
        let descriptor = mkstemp(&template)
        guard descriptor >= 0 else { throw .system(path) }
        let isWritten = Self.write(bytes, descriptor) && fchmod(descriptor, 0o644) == 0
        let fault = errno
        close(descriptor)
        if isWritten, rename(template, file) == 0 { return }
        let failure = Failure(path: file, reason: String(cString: strerror(isWritten ? errno : fault)))
        unlink(template)
        throw failure
    }

    private static func write(_ bytes: [UInt8], _ descriptor: Int32) -> Bool {
        var written = 0
        while written < bytes.count {
            let count = bytes[written...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            written += count
        }
        return true
    }
}
