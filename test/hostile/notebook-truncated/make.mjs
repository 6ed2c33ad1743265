import { writeFileSync } from 'node:fs';

writeFileSync(process.argv[2], '{"nbformat": 4, "cells": [{"cell_type": "code", "source": ["let x');
