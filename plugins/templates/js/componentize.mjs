// Run by `pointsman policy build`: componentize-js, source, contract, world and output are the arguments. The command
// line of that package is not used: it does not take a folder of WIT files.
import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [module, source, contract, world, output] = process.argv.slice(1);
const { componentize } = await import(pathToFileURL(resolve(module)));
const { component } = await componentize({
  sourcePath: resolve(source),
  witPath: resolve(contract),
  worldName: world,
  // Each of these would import a part of WASI, which policies do not have.
  disableFeatures: ["stdio", "random", "clocks", "http", "fetch-event"],
});
await writeFile(output, component);
