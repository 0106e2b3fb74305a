/**
 * The gateway's durable state: one PostgreSQL schema, run by PGlite in this process by default or by a PostgreSQL server
 * when `databaseUrl` is given. Holds requests, receipts, batches and payments, and nothing of what was said in them: no
 * prompt is ever stored here, and an answer only where its client asked to have it kept, for an hour (`keptAnswers.ts`).
 * Start with `database.ts`, then `migrations/`, then `writer.ts` and `journal/`, through which goes what an answer waits for.
 */
export * from './batches.ts'
export * from './database.ts'
export * from './demands.ts'
export * from './directoryLock.ts'
export * from './fleet.ts'
export * from './grants.ts'
export * from './groupCommit.ts'
export * from './keptAnswers.ts'
export * from './openDatabase.ts'
export * from './opengradient.ts'
export * from './payments.ts'
export * from './proofs.ts'
export * from './receipts.ts'
export * from './requests.ts'
export * from './reservations.ts'
export * from './writer.ts'
