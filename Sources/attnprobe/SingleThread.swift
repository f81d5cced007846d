// OpenBLAS starts its threads when it is loaded, before `main`: where the process may have little memory, it waits
// for them for ever. It asks this function, its own, which of all those of the name is the program's: the system
// takes the first that it finds. Where OpenBLAS is built so that it calls its own in any case,
// `BLAS.endIdleThreads` ends them after the start.

/// How many threads OpenBLAS starts: one, as `Parallel` has those that compute.
@c(openblas_num_threads_env)
public func openBLASThreads() -> Int32 { 1 }
