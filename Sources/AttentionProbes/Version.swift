/// The version of the library and its programs.
package let libraryVersion = "0.1.0"
