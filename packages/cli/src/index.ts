/**
 * `assay`: the command line, and the supervisor that runs a whole development network on one machine. It decides
 * nothing about validity or money: that is `@assay/verify`, `@assay/sdk` and the contracts. Nothing imports this package.
 * Start with `program.ts`; `up/` is the supervisor.
 */
export { runCli } from './program.ts'
