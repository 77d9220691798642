// Unpacks the Chromium of @sparticuz/chromium, with its libraries and fonts, into the folder that TMPDIR names.
import { readdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { inflate } from "@sparticuz/chromium";

const packed = new URL("../bin/", import.meta.resolve("@sparticuz/chromium"));
await Promise.all((await readdir(packed)).map((name) => inflate(fileURLToPath(new URL(name, packed)))));
