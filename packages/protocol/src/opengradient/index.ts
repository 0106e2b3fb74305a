/**
 * The byte rules of OpenGradient's public wire format (docs/opengradient.md): how its gateway hashes requests and answers,
 * what its enclaves sign, and what its settlement commits to. None of Assay's own statements depends on them.
 */
export * from './canonicalRequest.ts'
export * from './pythonJson.ts'
export * from './registration.ts'
export * from './settlementTree.ts'
export * from './signedAnswer.ts'
