/** AWS Nitro Enclaves, and the simulated ones of development. Start with `verifyNitro.ts`. */

export { readNitridingUserData } from './nitridingUserData.ts'
export * from './verifyNitro.ts'
