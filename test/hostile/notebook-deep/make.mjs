import { writeFileSync } from 'node:fs';

writeFileSync(process.argv[2], `{"nbformat": 4, "cells": ${'['.repeat(1e6)}${']'.repeat(1e6)}}`);
